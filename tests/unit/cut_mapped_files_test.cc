#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cut/mapped_files.h"
#include "os/files.h"
#include "support.h"

namespace still::cut {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(SharedMappings, AreThoseThatCanBeWritten) {
  const auto mappings = parse_shared_mappings(
      "7f0000000000-7f0000001000 rw-s 00000000 08:01 123                        /data/a file\n"
      "7f0000001000-7f0000002000 r--s 00000000 08:01 124                        /data/read\n"
      "7f0000002000-7f0000003000 rw-p 00000000 08:01 125                        /data/private\n"
      "7f0000003000-7f0000004000 rw-s 00000000 00:00 0 \n"
      "7f0000004000-7f0000005000 -w-s 00000000 fe:00 99999999999                /a\\012b "
      "(deleted)\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
      "no mapping\n");
  ASSERT_EQ(mappings.size(), 2U);
  EXPECT_EQ(mappings[0].inode, 123U);
  EXPECT_EQ(mappings[0].path, "/data/a file");
  EXPECT_EQ(mappings[1].inode, 99999999999U);
  EXPECT_EQ(mappings[1].path, "/a\nb (deleted)");
}

TEST(MappedInodes, AreFoundInAProcessAndByPathInTheUpperLayer) {
  const test::Scratch scratch;
  const auto file = scratch / "mapped";
  test::write_text(file, "x");
  const Fd opened = open_file(file, O_RDWR);
  void* mapping = ::mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, opened.get(), 0);
  ASSERT_NE(mapping, MAP_FAILED);
  // An upper layer that has another file at the same path.
  const auto upper = scratch.make("upper");
  make_directories(upper.native() + scratch.path().native());
  test::write_text(upper.native() + file.native(), "y");
  const auto inode = [](const std::filesystem::path& path) {
    return stat_fd(open_file(path, O_RDONLY)).st_ino;
  };

  const auto found = mapped_inodes({::getpid()}, upper);
  EXPECT_THAT(found, Contains(inode(file)));
  EXPECT_THAT(found, Contains(inode(upper.native() + file.native())));
  ::munmap(mapping, 1);
  EXPECT_THAT(mapped_inodes({::getpid()}, upper), Not(Contains(inode(file))));
}

TEST(MappedInodes, ProcessesThatHaveEndedHaveNone) {
  const test::Scratch scratch;
  EXPECT_TRUE(mapped_inodes({999'999'999}, scratch.path()).empty());
}

}  // namespace
}  // namespace still::cut
