// Which processes are left to CRIU by itself.
#include <gmock/gmock.h>
#include <unistd.h>

#include "memory/ordinary.h"
#include "os/process.h"
#include "support.h"

namespace still::memory {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStatus =
    "Name:\tserver\nPid:\t100\nTracerPid:\t0\nNSpid:\t100\t1\nHugetlbPages:\t       0 kB\n";
constexpr const char* kMaps = "00400000-00401000 r-xp 00000000 fe:01 12 /bin/server\n";

std::string with(std::string text, const std::string& what, const std::string& instead) {
  return text.replace(text.find(what), what.size(), instead);
}

TEST(Ordinary, MostAre) {
  EXPECT_EQ(why_not_ordinary(kStatus, kMaps, 2), "");
  EXPECT_EQ(why_not_ordinary({::getpid()}), "");
  EXPECT_EQ(why_not_ordinary(std::vector<pid_t>{}), "");
}

TEST(Ordinary, OthersAreNamed) {
  EXPECT_EQ(why_not_ordinary(with(kStatus, "TracerPid:\t0", "TracerPid:\t7"), kMaps, 2),
            "is traced");
  EXPECT_EQ(why_not_ordinary(with(kStatus, "100\t1", "100\t17\t1"), kMaps, 2),
            "has a pid namespace of its own");
  EXPECT_EQ(why_not_ordinary(with(kStatus, "       0 kB", "    4096 kB"), kMaps, 2),
            "uses huge pages of hugetlbfs");
  EXPECT_EQ(
      why_not_ordinary(kStatus,
                       std::string(kMaps) +
                           "7f0000000000-7f0000001000 rw-s 00000000 00:11 9  /[aio] (deleted)\n",
                       2),
      "uses asynchronous I/O");
}

TEST(Ordinary, AProgramOf32BitsIsNot) {
  // The smallest one: `push $29; pop %eax; int $0x80`, pause(2) over and over.
  constexpr unsigned char kProgram[] = {
      0x7f, 'E', 'L',  'F',  1,    1,    1,   0, 0,    0,    0,  0, 0,  0,    0, 0,  //
      2,    0,   3,    0,    1,    0,    0,   0, 0x54, 0x80, 4,  8, 52, 0,    0, 0,  //
      0,    0,   0,    0,    0,    0,    0,   0, 52,   0,    32, 0, 1,  0,    0, 0,  //
      0,    0,   0,    0,                                                            //
      1,    0,   0,    0,    0,    0,    0,   0, 0,    0x80, 4,  8, 0,  0x80, 4, 8,  //
      0x5b, 0,   0,    0,    0x5b, 0,    0,   0, 5,    0,    0,  0, 0,  0x10, 0, 0,  //
      0x6a, 29,  0x58, 0xcd, 0x80, 0xeb, 0xf9};
  const test::Scratch scratch;
  const auto program = scratch / "small";
  test::write_text(program, {reinterpret_cast<const char*>(kProgram), sizeof kProgram});
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  std::optional<Child> child;
  try {
    child.emplace(Child::start({.arguments = {program}}));
  } catch (const Error&) {
    STILL_REQUIRE(false, "a kernel that runs programs of 32 bits");
  }
  EXPECT_THAT(why_not_ordinary({child->pid()}), HasSubstr("(small) is a program of 32 bits"));
  child->signal(SIGKILL);
}

}  // namespace
}  // namespace still::memory
