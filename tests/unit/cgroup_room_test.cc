// What the limits of cgroups leave, in directories that look like them.
#include "cgroup/room.h"
#include "support.h"

namespace still::cgroup {
namespace {

constexpr uint64_t kNoLimit = UINT64_MAX;

class CgroupRoom : public testing::Test {
 protected:
  void limit(const std::string& cgroup, const std::string& file, const std::string& value) {
    std::filesystem::create_directories(root_.path() / cgroup);
    test::write_text(root_.path() / cgroup / file, value + "\n");
  }
  Room room(const std::string& path = "/still/abc") const { return room_in({root_.path()}, path); }

  test::Scratch root_;
};

TEST_F(CgroupRoom, IsEndlessWithoutLimits) {
  EXPECT_EQ(room().memory_bytes, kNoLimit);
  limit("still/abc", "memory.max", "max");
  limit("still/abc", "memory.current", "1000");
  limit("still/abc", "pids.max", "max");
  EXPECT_EQ(room().memory_bytes, kNoLimit);
  EXPECT_EQ(room().processes, kNoLimit);
}

TEST_F(CgroupRoom, IsWhatTheLimitLeaves) {
  limit("still/abc", "memory.max", "1000");
  limit("still/abc", "memory.current", "700");
  limit("still/abc", "pids.max", "10");
  limit("still/abc", "pids.current", "8");
  EXPECT_EQ(room().memory_bytes, 300U);
  EXPECT_EQ(room().processes, 2U);
}

TEST_F(CgroupRoom, CountsCachedFilesAsFree) {
  limit("still/abc", "memory.max", "1000");
  limit("still/abc", "memory.current", "900");
  limit("still/abc", "memory.stat", "anon 500\ninactive_file 350\nactive_file 50");
  EXPECT_EQ(room().memory_bytes, 450U);
}

TEST_F(CgroupRoom, IsNoneBeyondTheLimit) {
  limit("still/abc", "memory.max", "1000");
  limit("still/abc", "memory.current", "1200");
  EXPECT_EQ(room().memory_bytes, 0U);
}

TEST_F(CgroupRoom, IsTheLeastOnTheWayUp) {
  limit("still/abc", "memory.max", "1000");
  limit("still/abc", "memory.current", "0");
  limit("still", "memory.max", "500");
  limit("still", "memory.current", "400");
  EXPECT_EQ(room().memory_bytes, 100U);
}

TEST_F(CgroupRoom, SaysWhetherAllEndTogether) {
  limit("still/abc", "memory.oom.group", "0");
  EXPECT_FALSE(room().ends_as_a_whole);
  limit("still", "memory.oom.group", "1");
  EXPECT_TRUE(room().ends_as_a_whole);
}

TEST_F(CgroupRoom, IsReadInTheWordsOfV1) {
  limit("still/abc", "memory.limit_in_bytes", "1000");
  limit("still/abc", "memory.usage_in_bytes", "900");
  limit("still/abc", "memory.stat", "inactive_file 1\ntotal_inactive_file 200");
  EXPECT_EQ(room().memory_bytes, 300U);
}

}  // namespace
}  // namespace still::cgroup
