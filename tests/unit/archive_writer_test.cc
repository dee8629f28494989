#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "archive/reader.h"
#include "archive/writer.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "support.h"
#include "tree_fixture.h"

namespace still::archive {
namespace {

namespace fs = std::filesystem;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::HasSubstr;

// CRIU images, a file of the container, a volume.
class Writer : public testing::TestWithParam<Compression> {
 protected:
  void SetUp() override {
    write_text(scratch_.make("images") / "inventory.img", "inventory");
    write_text(scratch_ / "images/pages-1.img", std::string(3 << 20, 'p'));
    fs::create_directory(scratch_ / "images/empty");
    fs::create_symlink("../pre-checkpoint", scratch_ / "images/parent");
    write_text(scratch_.make("volume") / "data", "of the volume");
  }

  fs::path target() const { return scratch_ / "archive"; }

  void add_all(ArchiveWriter& writer) const {
    writer.add_bytes("config.dump", R"({"id": "abc", "name": "web", "runtime": "crun"})");
    writer.add_bytes(
        "spec.dump",
        R"({"ociVersion": "1.0.0", "annotations": {"io.container.manager": "libpod"}})");
    writer.add_files_below("checkpoint", open_dir(scratch_ / "images"));
    writer.add_tree("volumes/data.tar", open_dir(scratch_ / "volume"), {});
    writer.add_directory("artifacts");
  }

  void write_archive() const {
    ArchiveWriter writer(target(), GetParam());
    add_all(writer);
    writer.commit({});
  }

  Scratch scratch_;
};

INSTANTIATE_TEST_SUITE_P(Compressions, Writer,
                         testing::Values(Compression::kZstd, Compression::kGzip,
                                         Compression::kNone),
                         [](const auto& info) {
                           return std::string(info.param == Compression::kZstd   ? "Zstd"
                                              : info.param == Compression::kGzip ? "Gzip"
                                                                                 : "None");
                         });

std::string output_of(std::vector<std::string> arguments) {
  return run_checked(
      {.arguments = std::move(arguments), .environment = {}, .directory = {}, .descriptors = {}});
}

TEST_P(Writer, WritesWhatTheReaderReads) {
  write_archive();
  const auto contents = unpack_archive(target(), open_dir(scratch_.make("out")));
  ASSERT_TRUE(contents.manifest);
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/inventory.img"), "inventory");
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/pages-1.img"), std::string(3 << 20, 'p'));
  EXPECT_EQ(fs::read_symlink(scratch_ / "out/checkpoint/parent"), "../pre-checkpoint");
  EXPECT_TRUE(fs::is_directory(scratch_ / "out/checkpoint/empty"));
  EXPECT_TRUE(fs::is_directory(scratch_ / "out/artifacts"));
  const Fd volume = open_file(scratch_ / "out/volumes/data.tar", O_RDONLY);
  extract_tree_tar(file_source(volume), open_dir(scratch_.make("restored")), {});
  EXPECT_EQ(test::describe_tree(scratch_ / "restored"), test::describe_tree(scratch_ / "volume"));
}

TEST_P(Writer, TakesOtherContentForFilesAndInAddition) {
  ArchiveWriter writer(target(), GetParam());
  writer.add_files_below("checkpoint", open_dir(scratch_ / "images"), Reading::kKeep,
                         {{"inventory.img", "another"}, {"more.img", "more"}});
  writer.commit({});
  unpack_archive(target(), open_dir(scratch_.make("out")));
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/inventory.img"), "another");
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/more.img"), "more");
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/pages-1.img"), std::string(3 << 20, 'p'));
  EXPECT_EQ(read_file(scratch_ / "images/inventory.img"), "inventory");
}

TEST_P(Writer, MakesAnArchiveThatIsPrivateAndAlone) {
  const mode_t mask = ::umask(0);
  write_archive();
  ::umask(mask);
  struct stat status{};
  ASSERT_EQ(::stat(target().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 3);
}

TEST_P(Writer, SaysTheSize) {
  ArchiveWriter writer(target(), GetParam());
  add_all(writer);
  writer.commit({});
  EXPECT_EQ(writer.size_bytes(), fs::file_size(target()));
}

TEST_P(Writer, ReportsProgress) {
  write_text(scratch_ / "images/pages-2.img", std::string(40 << 20, 'p'));
  ArchiveWriter writer(target(), GetParam());
  std::vector<uint64_t> reports;
  writer.set_progress([&](uint64_t bytes) { reports.push_back(bytes); });
  add_all(writer);
  EXPECT_GE(reports.size(), 2);
  EXPECT_TRUE(std::ranges::is_sorted(reports));
}

TEST_P(Writer, PutsTheManifestFirst) {
  write_archive();
  const std::string listing = output_of({"tar", "-tf", target()});
  EXPECT_EQ(listing,
            "still.json\nconfig.dump\nspec.dump\ncheckpoint/\ncheckpoint/empty/\n"
            "checkpoint/inventory.img\ncheckpoint/pages-1.img\ncheckpoint/parent\n"
            "volumes/data.tar\nartifacts/\n");
  const auto manifest = read_manifest(target());
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->members.size(), 9);
  EXPECT_EQ(manifest->members.at("checkpoint/pages-1.img").size_bytes, 3 << 20);
}

TEST_P(Writer, WritesWhatTheCompressorsOwnProgramsAccept) {
  write_archive();
  if (GetParam() == Compression::kZstd) output_of({"zstd", "-q", "-t", target()});
  if (GetParam() == Compression::kGzip) output_of({"gzip", "-t", target()});
  EXPECT_TRUE(nlohmann::json::accept(output_of({"tar", "-xOf", target(), "still.json"})));
}

TEST_P(Writer, WritesWhatCheckpointctlReads) {
  STILL_REQUIRE(find_program("checkpointctl"), "checkpointctl");
  write_archive();
  EXPECT_THAT(output_of({"checkpointctl", "show", target()}), HasSubstr("web"));
}

// Digests do not compress: this manifest needs more than the room that is kept for it.
TEST_P(Writer, MovesTheContentBehindAManifestThatDoesNotFit) {
  ArchiveWriter writer(target(), GetParam());
  for (int i = 0; i < 2000; ++i) {
    writer.add_bytes("checkpoint/fdinfo-" + std::to_string(i) + ".img", std::to_string(i));
  }
  writer.commit({});
  EXPECT_EQ(read_manifest(target())->members.size(), 2000);
  unpack_archive(target(), open_dir(scratch_.make("out")));
  EXPECT_EQ(read_file(scratch_ / "out/checkpoint/fdinfo-1999.img"), "1999");
  output_of({"tar", "-tf", target()});
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 4);
}

// Every size of manifest around the one that just fits.
TEST_P(Writer, FillsTheRoomExactly) {
  std::mt19937 random(1);
  std::string name;
  for (int i = 0; i < 66000; ++i) name += static_cast<char>('!' + random() % 90);
  size_t first_size = 0;
  bool grew = false;
  for (size_t size = 40000; size < name.size(); size += size < 48000 || grew ? 4001 : 389) {
    Manifest manifest;
    manifest.container_name = name.substr(0, size);
    ArchiveWriter writer(target(), GetParam());
    writer.add_bytes("config.dump", "{}");
    writer.commit(manifest);
    ASSERT_EQ(read_manifest(target())->container_name, manifest.container_name);
    unpack_archive(target(), open_dir(scratch_.make("out" + std::to_string(size))));
    if (first_size == 0) first_size = writer.size_bytes();
    grew = grew || writer.size_bytes() > first_size;
  }
  EXPECT_TRUE(grew || GetParam() != Compression::kNone);
}

TEST_P(Writer, LeavesNothingWithoutCommit) {
  write_text(target(), "an archive that was there before");
  {
    ArchiveWriter writer(target(), GetParam());
    add_all(writer);
  }
  EXPECT_EQ(read_file(target()), "an archive that was there before");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 3);
}

TEST_P(Writer, ReplacesAnArchiveAtOnce) {
  write_text(target(), "an archive that was there before");
  ArchiveWriter writer(target(), GetParam());
  add_all(writer);
  EXPECT_EQ(read_file(target()), "an archive that was there before");
  writer.commit({});
  EXPECT_TRUE(read_manifest(target()));
}

TEST_P(Writer, LeavesNothingOnAFullFileSystem) {
  STILL_REQUIRE_ROOT();
  const fs::path full = scratch_.make("full");
  mount("tmpfs", full, "tmpfs", 0, "size=256k");
  std::string incompressible;
  std::mt19937 random(1);
  for (int i = 0; i < 1 << 20; ++i) incompressible += static_cast<char>(random());
  const auto write = [&] {
    ArchiveWriter writer(full / "archive", GetParam());
    writer.add_bytes("checkpoint/pages-1.img", incompressible);
    writer.commit({});
  };
  EXPECT_THAT(test::message_thrown_by(write), HasSubstr("No space left"));
  const bool empty = fs::is_empty(full);
  unmount_all(full);
  EXPECT_TRUE(empty);
}

// The limit hits where the manifest is written and where the content moves, too.
TEST_P(Writer, LeavesNothingWhereverWritingFails) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  for (rlim_t limit = 1000; limit < 2'000'000; limit = limit * 3 / 2) {
    rlimit lowered = before;
    lowered.rlim_cur = limit;
    ::setrlimit(RLIMIT_FSIZE, &lowered);
    try {
      ArchiveWriter writer(target(), GetParam());
      for (int i = 0; i < 2000; ++i) {
        writer.add_bytes("checkpoint/" + std::to_string(i), std::to_string(i * i));
      }
      writer.commit({});
    } catch (const Error& error) {
      EXPECT_EQ(error.error_number(), EFBIG) << limit;
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}),
              fs::exists(target()) ? 3 : 2)
        << limit;
    if (fs::remove(target())) break;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
}

TEST_P(Writer, RefusesATargetThatIsNoFile) {
  const auto write_to = [&](const fs::path& path) {
    return test::kind_thrown_by([&] { ArchiveWriter writer(path, GetParam()); });
  };
  EXPECT_EQ(write_to(scratch_ / "images"), ErrorKind::kConflict);
  EXPECT_EQ(write_to("/dev/null"), ErrorKind::kConflict);
  EXPECT_EQ(write_to(scratch_ / "no such directory/archive"), ErrorKind::kSystem);
}

TEST_P(Writer, TakesTheLongestName) {
  ArchiveWriter writer(scratch_ / std::string(255, 'a'), GetParam());
  add_all(writer);
  writer.commit({});
  EXPECT_TRUE(read_manifest(scratch_ / std::string(255, 'a')));
}

TEST_P(Writer, TakesAFileThatGrowsButNoneThatShrinks) {
  write_text(scratch_ / "log", std::string(4 << 20, 'l'));
  const Fd log = open_file(scratch_ / "log", O_RDWR | O_APPEND);
  ArchiveWriter writer(target(), GetParam());
  bool changed = false;
  writer.set_progress([&](uint64_t) {
    if (!std::exchange(changed, true)) write_all(log, "one more line\n");
  });
  writer.add_bytes("checkpoint/pages-1.img", std::string(15 << 20, 'p'));
  writer.add_file("ctr.log", log);
  EXPECT_TRUE(changed);
  writer.commit({});
  EXPECT_EQ(read_manifest(target())->members.at("ctr.log").size_bytes, 4 << 20);

  ArchiveWriter second(target(), GetParam());
  second.set_progress([&](uint64_t) { ASSERT_EQ(::ftruncate(log.get(), 1), 0); });
  second.add_bytes("checkpoint/pages-1.img", std::string(14 << 20, 'p'));
  EXPECT_EQ(test::kind_thrown_by([&] { second.add_file("ctr.log", log); }), ErrorKind::kConflict);
}

TEST_P(Writer, RefusesToWriteAMemberTwice) {
  ArchiveWriter writer(target(), GetParam());
  writer.add_bytes("config.dump", "{}");
  EXPECT_EQ(test::kind_thrown_by([&] { writer.add_bytes("config.dump", "{}"); }),
            ErrorKind::kInternal);
}

TEST(ParseCompression, KnowsThree) {
  EXPECT_EQ(parse_compression("zstd"), Compression::kZstd);
  EXPECT_EQ(parse_compression("gzip"), Compression::kGzip);
  EXPECT_EQ(parse_compression("none"), Compression::kNone);
  EXPECT_EQ(test::kind_thrown_by([] { parse_compression("lz4"); }), ErrorKind::kUsage);
}

}  // namespace
}  // namespace still::archive
