// A layer need not have entries for the directories that its entries lie in: they are those of the
// layers below.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "os/fd.h"
#include "os/metadata.h"

namespace still::engine {

class ImpliedDirectories {
 public:
  // Reads the names in the tar file (any compression, from its start), and makes the directories
  // that the tar file does not, or only later, in the empty directory root.
  // below: the layers below, the top one first; root is kept open by the caller.
  ImpliedDirectories(const Fd& tar_file, const Fd& root,
                     const std::vector<std::filesystem::path>& below);
  // After the unpacking: gives those that the tar file does not have the owner, mode, attributes
  // and times that they have below, as what overlayfs shows is those of the upper layer.
  void finish() const;

 private:
  const Fd& root_;
  std::map<std::string, Metadata> found_below_;
};

}  // namespace still::engine
