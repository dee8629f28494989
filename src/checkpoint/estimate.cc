#include "checkpoint/estimate.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::checkpoint {
namespace {

// What is usual (docs/performance.md); each counts as one earlier checkpoint.
constexpr double kSmallDump = 0.05e9;  // nanoseconds for no memory at all,
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
constexpr double kGibibyteDump = 1.2e9;     // and for this much;
constexpr double kGibibyteForked = 0.11e9;  // when it is cut by forks,
constexpr double kGibibyteLazy = 0.35e9;    // also with lazy pages
constexpr double kLookPerEntry = 1500;      // nanoseconds

constexpr double kOwnWeight = 4;  // of checkpoints of the same container

// The line through weighted points with the least squares of distances.
class Line {
 public:
  void add(double x, double y, double weight) {
    weight_ += weight;
    x_ += weight * x;
    y_ += weight * y;
    xx_ += weight * x * x;
    xy_ += weight * x * y;
  }

  double at(double x) const {
    const double spread = weight_ * xx_ - x_ * x_;
    const double slope = std::max(0.0, (weight_ * xy_ - x_ * y_) / spread);
    return std::max(0.0, (y_ - slope * x_) / weight_ + slope * x);
  }

 private:
  double weight_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

double nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<double>(duration.count());
}

uint64_t entries_of(const Plan& plan) {
  uint64_t entries = 0;
  for (const cut::TreePlan& tree : plan.trees) entries += tree.found.files;
  return entries;
}

// As measurements know it.
bool by_fork(const cut::MemoryChoice& choice) {
  return cut::on(
      choice, [](const cut::ByCriu&) { return false; }, [](const cut::ByFork&) { return true; });
}

double gibibyte_dump(const Plan& plan) {
  return cut::on(
      plan.memory, [](const cut::ByCriu&) { return kGibibyteDump; },
      [](const cut::ByFork& by) {
        return by.skeleton == memory::Skeleton::kLazyPages ? kGibibyteLazy : kGibibyteForked;
      });
}

// What CRIU writes in the window whichever way the memory is cut. As it is, it counts shared memory
// as memory of the processes that have it.
double nanoseconds_of_writing(const Plan& plan) {
  const uint64_t shared = by_fork(plan.memory) ? plan.written.shared_memory_bytes : 0;
  const uint64_t bytes = plan.written.deleted_file_bytes + plan.written.pipe_bytes + shared;
  return static_cast<double>(bytes) / kGibibyte * kGibibyteDump;
}

}  // namespace

Estimate expected_pause(const Plan& plan, const std::vector<store::Measurement>& earlier) {
  const bool is_forked = by_fork(plan.memory);
  Line dump, capture;
  dump.add(0, kSmallDump, 1);
  dump.add(kGibibyte, gibibyte_dump(plan), 1);
  capture.add(0, 0, 1);
  capture.add(1e5, 1e5 * kLookPerEntry, 1);
  size_t learned_from = 0;
  for (const store::Measurement& one : earlier) {
    if (one.forked != is_forked) continue;
    ++learned_from;
    const double weight = one.container_id == plan.container_id ? kOwnWeight : 1;
    dump.add(static_cast<double>(one.memory_bytes), nanoseconds(one.dump), weight);
    capture.add(static_cast<double>(one.entries), nanoseconds(one.capture), weight);
  }
  const double longer =
      std::max(dump.at(static_cast<double>(plan.memory_bytes)) + nanoseconds_of_writing(plan),
               capture.at(static_cast<double>(entries_of(plan))));
  return {.pause = std::chrono::nanoseconds(static_cast<int64_t>(longer)),
          .learned_from = learned_from};
}

void require_short_pause(const Plan& plan, const Estimate& estimate) {
  const auto& limit = plan.options.max_pause;
  if (!limit || estimate.pause <= *limit) return;
  throw Error(
      ErrorKind::kConflict,
      formatted("container {} would stand still for about {}, and --max-pause allows {}",
                plan.container_name, human_duration(estimate.pause), human_duration(*limit)),
      "allow more, or make it smaller: its memory decides, and what it has open without a name");
}

store::Measurement measure(const Plan& plan, const CheckpointResult& result) {
  // What comes on top of the memory is added anew each time.
  const auto dump = (result.cut.dump_end - result.cut.dump_start) + result.cut.fork;
  const std::chrono::nanoseconds writing(static_cast<int64_t>(nanoseconds_of_writing(plan)));
  return {.container_id = plan.container_id,
          .at = result.cut.thawed.wall,
          .memory_bytes = plan.memory_bytes,
          .entries = entries_of(plan),
          .forked = by_fork(result.memory_choice),
          .dump = std::max(dump - writing, std::chrono::nanoseconds{}),
          .capture = result.cut.capture,
          .pause = result.cut.pause()};
}

}  // namespace still::checkpoint
