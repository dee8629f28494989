// The merged view of an overlay's lower layers: what shows through where the upper layer has
// nothing of its own.
#pragma once

#include <string>
#include <vector>

#include "os/fd.h"

namespace still::tree {

// Whether a directory of a layer hides what the layers below it have there.
bool is_opaque(const Fd& directory);

// A position in the view, moved along with a walk of the upper layer. Descriptors are held for the
// current directory only, one per layer that is merged in it, however deep it lies.
class LowerView {
 public:
  enum class Kind { kAbsent, kDirectory, kOther };

  // Starts at the root. layers: the top one first; they must outlive the view.
  explicit LowerView(const std::vector<Fd>& layers);

  // What the current directory shows under this name.
  Kind kind_of(const std::string& name) const;
  // The names that the current directory shows, sorted.
  std::vector<std::string> names() const;

  // Goes to an entry of the current directory; one that is no directory is an empty place.
  void enter(const std::string& name);
  // Back to where the last enter() was.
  void leave();

 private:
  struct Place {
    std::string path;
    std::vector<size_t> layers;  // that are merged here
  };

  std::vector<size_t> layers_below(const std::string& name) const;
  void open_current();

  const std::vector<Fd>& layers_;
  std::vector<Place> places_;
  std::vector<Fd> directories_;  // of the last place, one for each of its layers
};

}  // namespace still::tree
