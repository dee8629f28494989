// All trees of a checkpoint, captured together: prepared while the container runs, cut while it
// stands still.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cut/cancellation.h"
#include "cut/deleted_files.h"
#include "cut/observer.h"
#include "cut/staging.h"
#include "cut/window.h"
#include "os/clock.h"
#include "os/fd.h"
#include "subject/subject.h"
#include "tree/capture.h"
#include "tree/survey.h"

namespace still::cut {

// A tree that is to be captured, and what was found of it while the container ran.
struct TreePlan {
  subject::Tree tree;
  tree::Survey found{};
};

// The archive member that it becomes.
std::string member_of(const subject::Tree& tree);

struct CapturedTree {
  std::filesystem::path path;  // a directory, or a tar file made of it before
  std::string method;
  std::vector<std::string> foreign_changes;  // paths in the tree; none where nobody could be sure
  std::map<std::string, uint32_t> inode_flags{};  // that path lacks: tree::Capture
};

class TreeCaptures : public TreeCut {
 public:
  // processes: all that stand still, asked in the cut. log: the container's. deleted: is cut with
  // them; null: there is none.
  TreeCaptures(const std::vector<TreePlan>& trees, const std::filesystem::path& log,
               std::function<std::vector<pid_t>()> processes, const Staging& staging,
               Cancellation& cancellation, DeletedFiles* deleted = nullptr);

  // Rounds of preparation, for as long as the next one can be expected to be worth it. Throws
  // Error(kInterrupted) when the checkpoint is given up meanwhile.
  void prepare(Observer& observer);

  void cut(const Instant& frozen) override;
  // A writer from outside that writes all the time is seen, at no cost to the window.
  void watch(const std::stop_token& stop) override;
  void end() override;

  // The length of the container's log at the cut; what comes later belongs to its life after it.
  uint64_t log_bytes() const { return log_bytes_; }

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

  const std::function<std::vector<pid_t>()> processes_;
  DeletedFiles* const deleted_;
  const std::optional<Fd> log_;
  uint64_t log_bytes_ = 0;
  // The writable layer, in which files on the overlay are looked up; empty: it is not captured.
  std::filesystem::path upper_;
  Cancellation& cancellation_;
  std::vector<Entry> entries_;
  const Entry* last_prepared_ = nullptr;
  uint64_t total_bytes_ = 0;
  tree::PassTotals last_pass_;
  std::chrono::nanoseconds end_{};  // coarse clock
};

}  // namespace still::cut
