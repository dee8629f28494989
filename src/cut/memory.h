// How the memory of a live checkpoint gets into its images. A way is chosen before anything is
// touched; each has the same few moments in which it works.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "cut/cancellation.h"
#include "cut/observer.h"
#include "cut/staging.h"
#include "memory/merge.h"
#include "memory/self_test.h"
#include "os/clock.h"
#include "subject/subject.h"

namespace still::cut {

// CRIU writes it in the window, as it is.
struct ByCriu {
  std::string because{};  // why not another way
};
// The processes are forked in the window, and their children read after it: by_fork.h.
struct ByFork {
  memory::Skeleton skeleton = memory::Skeleton::kParentImage;  // what CRIU writes meanwhile
};
// It is copied before the freeze, and what was written to since in the window: by_protection.h.
struct ByProtection {
  memory::Skeleton skeleton = memory::Skeleton::kNoPages;
  // Why processes that write too much may not be forked; empty: they may.
  std::string no_forks_because{};
};
// Code that has to know the ways visits this: a new one does not compile before it is known there.
using MemoryChoice = std::variant<ByCriu, ByFork, ByProtection>;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
// What holds for the way that was chosen: on(choice, [](const ByCriu&) {...}, ...).
template <class... Cases>
auto on(const MemoryChoice& choice, Cases... cases) {
  return std::visit(Overloaded{cases...}, choice);
}

// Whether CRIU leaves out the memory that processes share, because it is copied before the freeze:
// only the library that hides pages from CRIU does that.
bool copies_shared_memory(const MemoryChoice& choice);
// "stock", "fork", "protect": as flags, statistics and the manifest name it.
std::string name_of(const MemoryChoice& choice);
// "CRIU", "forks", "write protection": in words for people.
std::string words_for(const MemoryChoice& choice);
// Why CRIU writes the memory; empty if it does not.
std::string why_by_criu(const MemoryChoice& choice);

class MemoryWay {
 public:
  // place: of the staging directory, which may not be made yet. subject must outlive it.
  static std::unique_ptr<MemoryWay> open(const MemoryChoice& choice,
                                         const subject::Subject& subject, StagingPlace place);
  MemoryWay() = default;
  MemoryWay(const MemoryWay&) = delete;
  MemoryWay& operator=(const MemoryWay&) = delete;
  virtual ~MemoryWay() = default;

  // Each throws Error(kAnotherWay) where CRIU as it is may well succeed; nothing is left then.

  // Before the freeze, the staging directory made.
  virtual void prepare(Cancellation&) {}
  // Just before it: the trees have been copied meanwhile.
  virtual void catch_up(Cancellation&) {}
  // All stands still, CRIU has touched nothing yet.
  virtual void before_dump() {}
  // The dump is complete and all has stood still to the end; from here until after_thaw() the
  // container is to stand still although its cgroup is thawed. On errors it runs on.
  virtual void hold() {}
  // The cgroup is thawed: what cannot be done to frozen tasks. The container runs when it returns,
  // and when it throws; that is at the deadline at the latest, but for a step that takes long.
  virtual void after_thaw(Deadline) {}
  // At once after that.
  virtual void keep() {}
  // Until the images are complete. The container is held.
  virtual memory::MergeTotals finish(Cancellation&, Observer&) { return {}; }
};

}  // namespace still::cut
