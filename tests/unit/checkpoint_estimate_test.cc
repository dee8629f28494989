#include <gtest/gtest.h>

#include "checkpoint/estimate.h"

namespace still::checkpoint {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kMiB = uint64_t{1} << 20;

Plan plan_with(uint64_t memory_bytes, uint64_t entries) {
  Plan plan;
  plan.container_id = "ours";
  plan.memory = cut::ByCriu{"asked for"};
  plan.memory_bytes = memory_bytes;
  plan.trees.push_back({.tree = {}, .found = {.files = entries}});
  return plan;
}

store::Measurement measured(const std::string& container, uint64_t memory_bytes,
                            std::chrono::nanoseconds dump, std::chrono::nanoseconds capture = 1ms) {
  return {.container_id = container,
          .at = 1s,
          .memory_bytes = memory_bytes,
          .entries = 100,
          .dump = dump,
          .capture = capture,
          .pause = dump};
}

TEST(ExpectedPause, GuessesWithoutExperience) {
  const Estimate small = expected_pause(plan_with(16 * kMiB, 10), {});
  EXPECT_EQ(small.learned_from, 0U);
  EXPECT_GT(small.pause, 20ms);
  EXPECT_LT(small.pause, 200ms);
  EXPECT_GT(expected_pause(plan_with(4096 * kMiB, 10), {}).pause, 2s);
}

TEST(ExpectedPause, LearnsTheFixedPartAndTheRate) {
  std::vector<store::Measurement> earlier;
  for (int i = 0; i < 20; ++i) {
    earlier.push_back(measured("other", 10 * kMiB, 60ms));
    earlier.push_back(measured("other", 1010 * kMiB, 560ms));
  }
  const auto pause = expected_pause(plan_with(510 * kMiB, 10), earlier).pause;
  EXPECT_GT(pause, 280ms);
  EXPECT_LT(pause, 370ms);
}

TEST(ExpectedPause, BelievesTheContainersOwnHistoryMore) {
  std::vector<store::Measurement> earlier(5, measured("other", 10 * kMiB, 50ms));
  earlier.insert(earlier.end(), 5, measured("ours", 10 * kMiB, 300ms));
  EXPECT_GT(expected_pause(plan_with(10 * kMiB, 10), earlier).pause, 200ms);
}

TEST(ExpectedPause, IsNotSpoiltByOutliers) {
  const Plan plan = plan_with(10 * kMiB, 10);
  // The first one of all.
  EXPECT_LT(expected_pause(plan, {measured("ours", 10 * kMiB, 9s)}).pause, 100ms);
  // Two of a few, one of another container.
  std::vector<store::Measurement> earlier(5, measured("ours", 10 * kMiB, 40ms));
  earlier.push_back(measured("ours", 10 * kMiB, 9s, 9s));
  earlier.push_back(measured("ours", 12 * kMiB, 10s));
  earlier.push_back(measured("other", 500 * kMiB, 20s));
  EXPECT_LT(expected_pause(plan, earlier).pause, 150ms);
  EXPECT_EQ(expected_pause(plan, earlier).learned_from, 8U);
}

TEST(ExpectedPause, BelievesWhatHappensAgain) {
  const std::vector<store::Measurement> earlier(2, measured("ours", 10 * kMiB, 9s));
  EXPECT_GT(expected_pause(plan_with(10 * kMiB, 10), earlier).pause, 5s);
}

TEST(ExpectedPause, LearnsForEachWayToCutTheMemory) {
  Plan plan = plan_with(4096 * kMiB, 10);
  std::vector<store::Measurement> earlier(20, measured("ours", 4096 * kMiB, 5s));
  EXPECT_GT(expected_pause(plan, earlier).pause, 4s);
  plan.memory = cut::ByFork{};
  EXPECT_EQ(expected_pause(plan, earlier).learned_from, 0U);
  EXPECT_LT(expected_pause(plan, earlier).pause, 1s);
  store::Measurement forked = measured("ours", 4096 * kMiB, 100ms);
  forked.memory_way = 1;
  earlier.insert(earlier.end(), 20, forked);
  EXPECT_LT(expected_pause(plan, earlier).pause, 200ms);
}

TEST(ExpectedPause, CountsWhatCriuWritesBesideTheMemory) {
  Plan plan = plan_with(16 * kMiB, 10);
  const auto without = expected_pause(plan, {}).pause;
  plan.written.deleted_file_bytes = 400 * kMiB;
  EXPECT_GT(expected_pause(plan, {}).pause, without + 300ms);
  plan.written = {.shared_memory_bytes = 400 * kMiB};
  EXPECT_EQ(expected_pause(plan, {}).pause, without);
  plan.memory = cut::ByFork{};
  EXPECT_GT(expected_pause(plan, {}).pause, 300ms);
  plan.memory = cut::ByProtection{.skeleton = memory::Skeleton::kLazyPages};
  EXPECT_GT(expected_pause(plan, {}).pause, 300ms);
  plan.memory = cut::ByProtection{};  // copied before
  EXPECT_LT(expected_pause(plan, {}).pause, 300ms);
}

TEST(ExpectedPause, LearnsNothingOfMemoryFromWhatIsBesideIt) {
  Plan plan = plan_with(16 * kMiB, 10);
  plan.written.deleted_file_bytes = 400 * kMiB;
  CheckpointResult result{.memory_choice = plan.memory};
  result.cut.dump_end.monotonic = 500ms;
  EXPECT_LT(measure(plan, result).dump, 100ms);
}

TEST(ExpectedPause, IsTheTimeOfTheTreesWhereThatIsLonger) {
  EXPECT_GT(expected_pause(plan_with(kMiB, 10'000'000), {}).pause, 5s);
}

}  // namespace
}  // namespace still::checkpoint
