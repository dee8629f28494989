// All trees of a checkpoint, captured together: prepared while the container runs, cut while it
// stands still.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "checkpoint/plan.h"
#include "cut/cancellation.h"
#include "cut/observer.h"
#include "cut/staging.h"
#include "os/clock.h"
#include "tree/capture.h"

namespace still::cut {

struct CapturedTree {
  std::filesystem::path path;  // a directory, or a tar file made of it before
  std::string method;
  std::vector<std::string> foreign_changes;  // paths in the tree; none where nobody could be sure
};

class TreeCaptures {
 public:
  TreeCaptures(const std::vector<checkpoint::TreePlan>& trees, const Staging& staging,
               Cancellation& cancellation);

  // Rounds of preparation, for as long as the next one can be expected to be worth it. Throws
  // Error(kInterrupted) when the checkpoint is given up meanwhile.
  void prepare(Observer& observer);

  // The cut. suspects: files that are mapped shared and writable.
  void cut(const std::set<ino_t>& suspects, const Instant& frozen);

  // Looks again and again whether the trees stand still, until stop is requested: a writer from
  // outside that writes all the time is seen, at no cost to the window.
  void watch(const std::stop_token& stop);

  // The last moment of the window, before the thaw: later changes are the container's.
  void end();

  // What the cut had to copy.
  const tree::PassTotals& last_pass() const { return last_pass_; }

  // When all is over, in the order of the plan. were_still: the container was frozen, so that
  // changes come from somebody else.
  std::vector<CapturedTree> results(bool were_still) const;

 private:
  struct Entry {
    std::unique_ptr<tree::Capture> capture;
    std::filesystem::path path;
    uint64_t last_cost = UINT64_MAX;
    bool settled = false;  // another round is not worth it
  };

  bool prepare_once();
  void run_rounds();
  uint64_t copied_bytes() const;

  Cancellation& cancellation_;
  std::vector<Entry> entries_;
  const Entry* last_prepared_ = nullptr;
  uint64_t total_bytes_ = 0;
  tree::PassTotals last_pass_;
  std::chrono::nanoseconds end_{};  // coarse clock
};

}  // namespace still::cut
