// How each kind of step is undone. Every room that writes steps adds its own kinds; only the
// program knows all of them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "journal/entry.h"

namespace still::journal {

struct Host;

// A step that its process cannot undo any more.
struct Interrupted {
  const Host& host;
  const Entry& entry;
  const Step& step;
  bool of_this_boot;

  const std::string& container_id() const {
    return step.container_id.empty() ? entry.container_id : step.container_id;
  }
};

// How long a kind of step means something.
enum class Lasts { kUntilReboot, kForEver };

class Undoers {
 public:
  // Undoes a step; what is gone already is no error. Returns what was done: "thawed it"; nullopt if
  // nothing was left.
  using Undo = std::function<std::optional<std::string>(const Interrupted&)>;
  // Reads the step without undoing anything. Throws Error(kCorrupt).
  using Reader = std::function<Undo(const Step&)>;

  // Each kind once.
  void add(const std::string& kind, Lasts lasts, Reader reader);

  // Undoes the steps of an entry, the last one first, and returns what was done. Nothing is undone
  // if not all of it can be: Error(kUnsupported) for a kind that this version does not know,
  // Error(kCorrupt). Throws what an undo throws; those of the steps before it have not been called
  // then.
  std::vector<std::string> undo(const Host& host, const Entry& entry) const;

 private:
  struct Kind {
    Lasts lasts;
    Reader reader;
  };
  const Kind& find(const Step& step) const;

  std::map<std::string, Kind> kinds_;
};

}  // namespace still::journal
