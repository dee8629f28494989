#include "cut/trees.h"

#include <fcntl.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>

#include "archive/members.h"
#include "base/error.h"
#include "base/hooks.h"
#include "cut/mapped_files.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/priority.h"
#include "tree/proof.h"

namespace still::cut {
namespace {

constexpr int kMostRounds = 8;
// A round that found less than this (about a millisecond of copying) was the last one.
constexpr uint64_t kSettledBytes = uint64_t{1} << 20;
// What a changed entry costs beyond its bytes, as bytes that can be copied in that time.
constexpr uint64_t kEntryBytes = uint64_t{16} << 10;
constexpr std::chrono::milliseconds kProgressInterval{100};
constexpr std::chrono::milliseconds kWatchInterval{5};

tree::Precautions precautions() {
  return {.write_back = !hooks::write_back_is_off(),
          .copy_racy_again = !hooks::racy_detection_is_off()};
}

uint64_t cost(const tree::PassTotals& totals) {
  return totals.changed_bytes + totals.changed * kEntryBytes;
}

}  // namespace

std::string member_of(const subject::Tree& tree) {
  switch (tree.kind) {
    case subject::TreeKind::kRootfs:
      return archive::name_of(archive::MemberKind::kRootfs);
    case subject::TreeKind::kVolume:
      return archive::volume_member(tree.volume);
    case subject::TreeKind::kShm:
      return archive::name_of(archive::MemberKind::kShm);
    case subject::TreeKind::kEtc:
      return archive::name_of(archive::MemberKind::kEtc);
  }
  return {};
}

TreeCaptures::TreeCaptures(const std::vector<TreePlan>& trees, const std::filesystem::path& log,
                           std::function<std::vector<pid_t>()> processes, const Staging& staging,
                           Cancellation& cancellation, DeletedFiles* deleted)
    : processes_(std::move(processes)),
      deleted_(deleted),
      log_(open_if_exists(log, O_RDONLY)),
      cancellation_(cancellation) {
  for (const auto& [tree, found] : trees) {
    const Fd source = open_without_access_times(tree.source);
    const std::string member = member_of(tree);
    try {
      entries_.push_back({.capture = tree::Capture::begin(
                              found.method, source, staging.make_tree(member), precautions(),
                              tree::Scratch(tree.scratch), cancellation.token()),
                          .path = staging.place().tree(member)});
    } catch (const Error& error) {
      throw error.in(name_of(tree));
    }
    total_bytes_ += found.bytes;
    if (tree.kind == subject::TreeKind::kRootfs) upper_ = tree.source;
  }
}

void TreeCaptures::prepare(Observer& observer) {
  const StepScope step(observer, Step::kPreCopy);
  auto rounds = std::async(std::launch::async, [this] {
    lower_thread_priority();
    run_rounds();
  });
  while (rounds.wait_for(kProgressInterval) != std::future_status::ready) {
    cancellation_.poll();
    observer.progress(Step::kPreCopy, std::min(copied_bytes(), total_bytes_), total_bytes_);
  }
  rounds.wait();
  cancellation_.check();
  rounds.get();
}

// While a tree is copied it goes on changing; the next round finds that, takes less time, and so
// leaves less to the one after it, until what changes in a round's time is all that is left. Then
// once more those that have waited for others.
void TreeCaptures::run_rounds() {
  if (deleted_ != nullptr) deleted_->prepare(processes_());
  for (int round = 0; round < kMostRounds && prepare_once(); ++round) {
  }
  for (Entry& entry : entries_) {
    if (&entry != last_prepared_) entry.capture->prepare();
  }
  if (deleted_ != nullptr) deleted_->prepare(processes_());
}

bool TreeCaptures::prepare_once() {
  bool again = false;
  for (Entry& entry : entries_) {
    if (entry.settled) continue;
    const uint64_t found = cost(entry.capture->prepare());
    last_prepared_ = &entry;
    entry.settled =
        !entry.capture->gains_by_rounds() || found < kSettledBytes || found > entry.last_cost / 2;
    entry.last_cost = found;
    again = again || !entry.settled;
  }
  return again;
}

void TreeCaptures::cut(const Instant& frozen) {
  const std::vector<pid_t> processes = processes_();
  if (deleted_ != nullptr) deleted_->cut(processes);
  const auto suspects = mapped_inodes(processes, upper_);
  for (Entry& entry : entries_) {
    const tree::PassTotals totals = entry.capture->cut(suspects, frozen.wall);
    last_pass_.entries += totals.entries;
    last_pass_.changed += totals.changed;
    last_pass_.changed_bytes += totals.changed_bytes;
  }
}

void TreeCaptures::watch(const std::stop_token& stop) {
  lower_thread_priority();
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  while (!stop.stop_requested()) {
    const auto begin = std::chrono::steady_clock::now();
    for (Entry& entry : entries_) entry.capture->check(1, stop);
    // A quarter of the time at most: the dump needs the processors, too.
    const auto took = std::chrono::steady_clock::now() - begin;
    never.wait_for(lock, stop, std::max<std::chrono::nanoseconds>(kWatchInterval, 3 * took),
                   [] { return false; });
  }
}

uint64_t TreeCaptures::copied_bytes() const {
  uint64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.capture->copied_bytes();
  return bytes;
}

void TreeCaptures::end() {
  log_bytes_ = log_ ? static_cast<uint64_t>(stat_fd(*log_).st_size) : 0;
  end_ = tree::coarse_now();
}

std::vector<CapturedTree> TreeCaptures::results(bool were_still) const {
  std::vector<CapturedTree> trees;
  for (const Entry& entry : entries_) {
    trees.push_back({.path = entry.path,
                     .method = to_string(entry.capture->method()),
                     .foreign_changes = were_still ? entry.capture->foreign_changes(end_)
                                                   : std::vector<std::string>{},
                     .inode_flags = entry.capture->inode_flags()});
  }
  return trees;
}

}  // namespace still::cut
