#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criu/affinity.h"
#include "support.h"

namespace still::criu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Processors, ComeBackFromTheKernelsForm) {
  for (const char* list : {"0", "0-3", "1,3,5", "0-1,8,10-12,8191"}) {
    const auto processors = parse_processors(list);
    ASSERT_TRUE(processors) << list;
    EXPECT_EQ(format_processors(*processors), list);
  }
  EXPECT_THAT(*parse_processors("2-4,7"), ElementsAre(2, 3, 4, 7));
}

TEST(Processors, AreNotReadFromWhatIsNoList) {
  for (const char* list : {"", "x", "-1", "3-1", "1,1", "2,1", "0-8192", "1-", "1,,2", "0-3,2"}) {
    EXPECT_FALSE(parse_processors(list)) << list;
  }
}

TEST(CpuAffinity, IsStoredBesideTheImages) {
  const test::Scratch scratch;
  write_affinities(scratch.path(), {});
  EXPECT_THAT(affinity_options(scratch.path()), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(scratch / kAffinityFile));
  const Affinities affinities = {{1, {0}}, {7, {0, 1, 2, 9}}};
  write_affinities(scratch.path(), affinities);
  EXPECT_EQ(stored_affinities(scratch.path()), affinities);
}

TEST(CpuAffinity, OfAnybodysFileOnlyWhatMakesSenseCounts) {
  const test::Scratch scratch;
  test::write_text(scratch / kAffinityFile,
                   "x 1\n3\n4 0-99999\n5 1 2\n6 1\n\n99999999999999999999 1\n");
  EXPECT_THAT(stored_affinities(scratch.path()), ElementsAre(Pair(6, ElementsAre(1))));
}

TEST(CpuAffinity, IsReadAndSetOfAProcessAndItsChildren) {
  STILL_REQUIRE(online_processors() > 1, "two processors");
  const Processors before = *affinity_of(0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t child = ::fork();
    if (child > 0 && ::write(ends[1], &child, sizeof child) != sizeof child) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  const Processors one = {before.front()};
  EXPECT_EQ(set_affinities({{child, one}}, parent), 0U);
  EXPECT_EQ(*affinity_of(child), one);
  EXPECT_EQ(*affinity_of(parent), before);
  EXPECT_THAT(read_affinities({parent, child}, parent), ElementsAre(Pair(child, one)));
  EXPECT_EQ(count_misplaced({{child, one}, {parent, before}}, parent), 0U);
  EXPECT_EQ(count_misplaced({{child, one}, {parent, one}}, parent), 1U);
  EXPECT_EQ(set_affinities({{child, {8000}}}, parent), 1U) << "there is no such processor";
  ::kill(child, SIGKILL);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
}

}  // namespace
}  // namespace still::criu
