#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "os/files.h"
#include "os/mount.h"
#include "support.h"
#include "tree/copy.h"
#include "tree/survey.h"
#include "tree_fixture.h"

namespace still::tree {
namespace {

using test::open_dir;
using test::Scratch;
using test::write_text;

TEST(CopyTree, CopiesEverythingThatATreeHas) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  const auto before = test::describe_tree(scratch / "source");
  copy_tree(open_dir(scratch / "source"), open_dir(scratch.make("copy")));
  EXPECT_EQ(test::describe_tree(scratch / "copy"), before);
  EXPECT_EQ(test::describe_tree(scratch / "source"), before) << "the source was changed";
}

TEST(CopyTree, NeedsFewDescriptorsHoweverDeepTheTree) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  scratch.make("copy");
  const test::DescriptorLimit limit(128);
  copy_tree(open_dir(scratch / "source"), open_dir(scratch / "copy"));
}

TEST(CopyTree, KeepsHoles) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  copy_tree(open_dir(scratch / "source"), open_dir(scratch.make("copy")));
  for (const char* name : {"over 8 GiB", "nothing but a hole", "hole at the start"}) {
    EXPECT_LE(test::allocated(scratch.path() / "copy" / name),
              test::allocated(scratch.path() / "source" / name))
        << name;
  }
}

TEST(CopyTree, KeepsTheNamesOfSockets) {
  const Scratch scratch;
  const auto source = scratch.make("source");
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (source / "socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  copy_tree(open_dir(source), open_dir(scratch.make("copy")));
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(source));
}

TEST(SurveyTree, CountsWhatCopyTreeCopies) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  const CopyTotals copied = copy_tree(open_dir(scratch / "source"), open_dir(scratch.make("copy")));
  const Survey survey = survey_tree(open_dir(scratch / "source"), open_dir(scratch / "copy"));
  EXPECT_EQ(copied.files, survey.files);
  // Allocated blocks are a little more than the data in them.
  EXPECT_NEAR(static_cast<double>(copied.bytes), static_cast<double>(survey.bytes), 1 << 20);
  EXPECT_EQ(copied.files, test::describe_tree(scratch / "source").size() - 1);
}

TEST(CopyTree, DoesNotInheritADefaultAccessList) {
  const Scratch scratch;
  write_text(scratch.make("source") / "file", "x");
  ASSERT_EQ(::mkdir((scratch / "source/directory").c_str(), 0700), 0);
  const auto before = test::describe_tree(scratch / "source");
  const std::string acl = test::acl_for_user(99);
  ASSERT_EQ(::setxattr(scratch.make("copy").c_str(), "system.posix_acl_default", acl.data(),
                       acl.size(), 0),
            0);
  copy_tree(open_dir(scratch / "source"), open_dir(scratch / "copy"));
  EXPECT_EQ(test::describe_tree(scratch / "copy"), before);
}

TEST(CopyTree, FailsOnAnEntryThatIsThereAlready) {
  const Scratch scratch;
  write_text(scratch.make("source") / "fi\nle", "x");
  write_text(scratch.make("copy") / "fi\nle", "y");
  const auto copy = [&] { copy_tree(open_dir(scratch / "source"), open_dir(scratch / "copy")); };
  EXPECT_THAT(test::message_thrown_by(copy), testing::HasSubstr("fi\\nle"));
}

TEST(CopyTree, DoesNotEnterOtherFileSystems) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  scratch.make("source/mounted");
  write_text(scratch / "source/beside", "x");
  mount("tmpfs", scratch / "source/mounted", "tmpfs", 0, "");
  write_text(scratch / "source/mounted/inside", "x");
  copy_tree(open_dir(scratch / "source"), open_dir(scratch.make("copy")));
  unmount_all(scratch / "source/mounted");
  EXPECT_TRUE(std::filesystem::is_empty(scratch / "copy/mounted"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "copy/beside"));
}

TEST(SurveyTree, NamesWhatNoCaptureEnters) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  scratch.make("source/dir/mounted");
  scratch.make("staging");
  const auto survey = [&] {
    return survey_tree(open_dir(scratch / "source"), open_dir(scratch / "staging"));
  };
  EXPECT_EQ(survey().other_file_system, "");
  mount("tmpfs", scratch / "source/dir/mounted", "tmpfs", 0, "");
  EXPECT_EQ(survey().other_file_system, "dir/mounted");
  unmount_all(scratch / "source/dir/mounted");
}

// copy_file_range(2) refuses to copy between most kinds of file systems.
TEST(CopyTree, CopiesToAnotherFileSystem) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  mount("tmpfs", scratch.make("copy"), "tmpfs", 0, "");
  copy_tree(open_dir(scratch / "source"), open_dir(scratch / "copy"));
  const auto copied = test::describe_tree(scratch / "copy");
  const auto kept = test::allocated(scratch / "copy/over 8 GiB");
  unmount_all(scratch / "copy");
  EXPECT_EQ(copied, test::describe_tree(scratch / "source"));
  EXPECT_LT(kept, uint64_t{1} << 20);
}

}  // namespace
}  // namespace still::tree
