#include "checkpoint/estimate.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::checkpoint {
namespace {

// What is usual (docs/performance.md); each counts as one earlier checkpoint.
constexpr double kSmallDump = 0.05e9;  // nanoseconds for no memory at all,
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
constexpr double kGibibyteDump = 1.2e9;        // and for this much;
constexpr double kGibibyteForked = 0.11e9;     // when it is cut by forks,
constexpr double kGibibyteProtected = 0.03e9;  // when it is copied before,
constexpr double kGibibyteLazy = 0.35e9;       // both also with lazy pages
constexpr double kLookPerEntry = 1500;         // nanoseconds

constexpr double kOwnWeight = 4;  // of checkpoints of the same container

struct Point {
  double x = 0, y = 0, weight = 1;
};

// A line that does not fall.
struct Line {
  double start = 0, slope = 0;

  double at(double x) const { return std::max(0.0, start + slope * x); }
};

// The one with the least squares of distances.
Line least_squares(const std::vector<Point>& points) {
  double weight = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Point& point : points) {
    weight += point.weight;
    x += point.weight * point.x;
    y += point.weight * point.y;
    xx += point.weight * point.x * point.x;
    xy += point.weight * point.x * point.y;
  }
  const double spread = weight * xx - x * x;
  const double slope = spread > 0 ? std::max(0.0, (weight * xy - x * y) / spread) : 0;
  return {.start = (y - slope * x) / weight, .slope = slope};
}

// The one with the least sum of distances, which few points far away do not move: by least squares
// again and again, in which each point counts the less the farther it was.
Line least_distances(const std::vector<Point>& points) {
  constexpr int kRounds = 30;
  constexpr double kNear = 1e6;  // a millisecond; what is nearer is not told apart
  Line line = least_squares(points);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Point> weighted = points;
    for (Point& point : weighted) {
      point.weight /= std::max(kNear, std::abs(point.y - line.at(point.x)));
    }
    line = least_squares(weighted);
  }
  return line;
}

// What has been measured says of x. usual: is believed from the start. One measurement alone, which
// may be of a machine that had other work, is not believed if it would make the result larger.
double expect(double x, std::vector<Point> usual, const std::vector<Point>& measured) {
  usual.insert(usual.end(), measured.begin(), measured.end());
  const Line all = least_distances(usual);
  if (measured.empty()) return all.at(x);
  const auto excess = [&](const Point& point) { return point.y - all.at(point.x); };
  const auto first = usual.end() - static_cast<std::ptrdiff_t>(measured.size());
  usual.erase(std::ranges::max_element(first, usual.end(), {}, excess));
  return std::min(all.at(x), least_distances(usual).at(x));
}

double nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<double>(duration.count());
}

uint64_t entries_of(const Plan& plan) {
  uint64_t entries = 0;
  for (const cut::TreePlan& tree : plan.trees) entries += tree.found.files;
  return entries;
}

// As measurements know it.
int number_of(const cut::MemoryChoice& choice) {
  return cut::on(
      choice, [](const cut::ByCriu&) { return 0; }, [](const cut::ByFork&) { return 1; },
      [](const cut::ByProtection&) { return 2; });
}

double gibibyte_dump(const Plan& plan) {
  return cut::on(
      plan.memory, [](const cut::ByCriu&) { return kGibibyteDump; },
      [](const cut::ByFork& by) {
        return by.skeleton == memory::Skeleton::kLazyPages ? kGibibyteLazy : kGibibyteForked;
      },
      [](const cut::ByProtection& by) {
        return by.skeleton == memory::Skeleton::kLazyPages ? kGibibyteLazy : kGibibyteProtected;
      });
}

// What is written in the window beside the memory of each process. CRIU as it is counts shared
// memory as memory of the processes that have it.
double nanoseconds_of_writing(const Plan& plan) {
  const bool is_apart = number_of(plan.memory) != 0 && !cut::copies_shared_memory(plan.memory);
  const uint64_t shared = is_apart ? plan.written.shared_memory_bytes : 0;
  const uint64_t bytes = plan.written.deleted_file_bytes + plan.written.pipe_bytes + shared;
  return static_cast<double>(bytes) / kGibibyte * kGibibyteDump;
}

}  // namespace

Estimate expected_pause(const Plan& plan, const std::vector<store::Measurement>& earlier) {
  const int way = number_of(plan.memory);
  std::vector<Point> dumps, captures;
  for (const store::Measurement& one : earlier) {
    if (one.memory_way != way) continue;
    const double weight = one.container_id == plan.container_id ? kOwnWeight : 1;
    dumps.push_back({static_cast<double>(one.memory_bytes), nanoseconds(one.dump), weight});
    captures.push_back({static_cast<double>(one.entries), nanoseconds(one.capture), weight});
  }
  const double dump = expect(static_cast<double>(plan.memory_bytes),
                             {{0, kSmallDump}, {kGibibyte, gibibyte_dump(plan)}}, dumps);
  const double capture =
      expect(static_cast<double>(entries_of(plan)), {{0, 0}, {1e5, 1e5 * kLookPerEntry}}, captures);
  const double longer = std::max(dump + nanoseconds_of_writing(plan), capture);
  return {.pause = std::chrono::nanoseconds(static_cast<int64_t>(longer)),
          .learned_from = dumps.size()};
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
          .memory_way = number_of(result.memory_choice),
          .dump = std::max(dump - writing, std::chrono::nanoseconds{}),
          .capture = result.cut.capture,
          .pause = result.cut.pause()};
}

}  // namespace still::checkpoint
