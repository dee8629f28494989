// Restores to a destination that no engine is behind: all but what the runtime and CRIU do.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "archive/writer.h"
#include "criu_image_bytes.h"
#include "fake_destination.h"
#include "fake_source.h"
#include "journal/recovery.h"
#include "journal/undoers.h"
#include "os/inode_flags.h"
#include "restore/leftovers.h"
#include "restore/restore.h"
#include "restore/verify.h"

namespace still::restore {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::kind_thrown_by;
using test::message_thrown_by;
using test::open_dir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RestoreTest : public testing::Test {
 protected:
  RestoreTest() {
    layout_.create();
    store_.emplace(layout_.root);
    host_.emplace(layout_, *store_, undoers_);
    for (const char* tree : {"changed", "data", "shm", "etc", "images"}) scratch_.make(tree);
    write_text(scratch_ / "changed/new", "new");
    write_text(scratch_ / "data/rows", "rows");
    write_text(scratch_ / "shm/shared", "shared");
    write_text(scratch_ / "etc/hosts", "edited");
    write_text(scratch_ / "images/inventory.img", inventory());
    write_text(scratch_ / "images/files.img", test::image(0x56303138, {open_file()}));
  }

  static std::string inventory() {
    std::string namespaces;
    for (int field = 5; field <= 9; ++field) namespaces += test::number(field, 100 + field);
    const std::string entry = test::bytes(3, namespaces);
    return test::word(0x58313116) + test::word(static_cast<uint32_t>(entry.size())) + entry;
  }

  static std::string open_file() {
    return test::number(1, 1) + test::bytes(3, test::bytes(6, "/file"));
  }

  // Of a container whose volume is "data".
  fs::path write_archive(const json& config, const json& spec) const {
    const fs::path path = scratch_ / "archive";
    archive::ArchiveWriter writer(path, archive::Compression::kNone);
    writer.add_bytes("config.dump", config.dump());
    writer.add_bytes("spec.dump", spec.dump());
    writer.add_files_below("checkpoint", open_dir(scratch_ / "images"));
    writer.add_bytes("deleted.files", R"(["base"])");
    writer.add_tree("rootfs-diff.tar", open_dir(scratch_ / "changed"), {});
    writer.add_tree("devshm-checkpoint.tar", open_dir(scratch_ / "shm"), {});
    writer.add_tree("artifacts/etc-files.tar", open_dir(scratch_ / "etc"), {});
    writer.add_tree("volumes/data.tar", open_dir(scratch_ / "data"), {});
    writer.add_bytes("ctr.log", "log");
    archive::Manifest manifest;
    manifest.engine = "fake";
    manifest.cgroup = "/of-the-dump";
    manifest.consistent = true;
    writer.commit(std::move(manifest));
    return path;
  }
  static json config(const json& fake) { return {{"id", "1"}, {"name", "web"}, {"fake", fake}}; }
  fs::path write_archive(const json& fake = kFake) const {
    return write_archive(config(fake), fake);
  }

  RestoreResult restore(const fs::path& archive, const RestoreOptions& options = {}) {
    return restore_archive(archive, destination_, *host_, options, observer_);
  }
  RestoreResult restore_stored() {
    return restore_in_place(destination_, "web", *host_, {}, observer_);
  }

  // Neither the container nor anything of the operation.
  void expect_nothing_left() {
    EXPECT_FALSE(path_exists(engine_.container()));
    EXPECT_FALSE(path_exists(engine_.volume("data")));
    EXPECT_FALSE(engine_.is_mounted);
    expect_no_operation();
  }
  void expect_no_operation() {
    EXPECT_TRUE(fs::is_empty(layout_.staging()));
    EXPECT_TRUE(store_->journal().empty());
  }

  static inline const json kFake = {{"volumes", {"data"}}, {"asks", json::array()}};
  const test::Scratch scratch_;
  test::Programs programs_{scratch_ / "bin"};
  store::Layout layout_{.root = scratch_.make("store"), .runroot = scratch_.make("run")};
  std::optional<store::Store> store_;
  journal::Undoers undoers_;
  std::optional<journal::Host> host_;
  test::FakeEngine engine_{.directory = scratch_.make("engine")};
  test::FakeDestination destination_{engine_};
  cut::Observer observer_;
};

TEST_F(RestoreTest, AnArchiveIsRestoredToAnotherDestinationByTheSameCode) {
  const RestoreResult result =
      restore(write_archive(), {.wishes = {.name = "web2", .rename_volumes = {{"data", "data2"}}}});

  EXPECT_EQ(result.container_name, "web2");
  EXPECT_TRUE(result.consistent);
  EXPECT_TRUE(engine_.is_kept);
  EXPECT_TRUE(engine_.is_mounted);
  EXPECT_FALSE(path_exists(engine_.volume("data")));
  EXPECT_EQ(read_file(engine_.volume("data2") / "rows"), "rows");
  EXPECT_FALSE(path_exists(engine_.root() / "base")) << "it was removed before the checkpoint";
  EXPECT_EQ(read_file(engine_.root() / "new"), "new");
  EXPECT_EQ(read_file(engine_.container() / "log"), "log");
  EXPECT_EQ(read_file(engine_.container() / "etc/hosts"), "edited");
  EXPECT_THAT(engine_.images, ElementsAre("files.img", "inventory.img"));
  EXPECT_EQ(engine_.shm, "shared");
  EXPECT_EQ(engine_.dumped_cgroup, "/of-the-dump");
  EXPECT_NE(engine_.operation, "");
  expect_no_operation();
}

TEST_F(RestoreTest, LeavesOutWhatIsNotWanted) {
  restore(write_archive(), {.ignore_rootfs = true, .ignore_volumes = true});
  EXPECT_FALSE(path_exists(engine_.volume("data")));
  EXPECT_TRUE(path_exists(engine_.root() / "base"));
  EXPECT_FALSE(path_exists(engine_.root() / "new"));
  EXPECT_EQ(read_file(engine_.container() / "etc/hosts"), "new");
}

TEST_F(RestoreTest, LeavesNothingWhenTheRuntimeFails) {
  engine_.start_fails = true;
  EXPECT_EQ(message_thrown_by([&] { restore(write_archive()); }), "the runtime fails");
  EXPECT_TRUE(engine_.dumped_cgroup) << "it came to that";
  expect_nothing_left();
}

TEST_F(RestoreTest, MakesNothingOfAnArchiveThatTheDestinationRefuses) {
  const json asking = {{"volumes", {"data"}}, {"asks", {"--privileged"}}};
  const fs::path archive = write_archive(asking);
  EXPECT_THAT(message_thrown_by([&] { restore(archive); }), HasSubstr("--privileged"));
  expect_nothing_left();
  EXPECT_THAT(verify_archive(archive, destination_.dumps(), {}, observer_).demands,
              ElementsAre("--privileged"));
}

// Whiteouts are none.
TEST_F(RestoreTest, TheDestinationDecidesAboutDeviceNodes) {
  STILL_REQUIRE_ROOT();
  ASSERT_EQ(::mknod((scratch_ / "data/whiteout").c_str(), S_IFCHR | 0600, makedev(0, 0)), 0);
  ASSERT_EQ(::mknod((scratch_ / "data/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  const fs::path archive = write_archive();
  EXPECT_THAT(message_thrown_by([&] { restore(archive); }),
              HasSubstr("asks for what is in volumes/data.tar"));
  expect_nothing_left();
  EXPECT_THAT(verify_archive(archive, destination_.dumps(), {}, observer_).demands,
              ElementsAre("what is in volumes/data.tar"));
  restore(archive, {.ignore_volumes = true});
  ASSERT_EQ(::unlink((scratch_ / "data/null").c_str()), 0);
  restore(write_archive());
  struct stat status{};
  ASSERT_EQ(::lstat((engine_.volume("data") / "whiteout").c_str(), &status), 0);
  EXPECT_EQ(status.st_rdev, makedev(0, 0));
}

TEST_F(RestoreTest, RefusesASpecOfAnotherContainer) {
  const fs::path archive = write_archive(config(kFake), json::object());
  for (const auto& read : std::vector<std::function<void()>>{
           [&] { restore(archive); },
           [&] { verify_archive(archive, destination_.dumps(), {}, observer_); }}) {
    EXPECT_THAT(message_thrown_by(read),
                HasSubstr("archive member \"spec.dump\": it is of another container"));
  }
  expect_nothing_left();
}

TEST_F(RestoreTest, TheArchiveOfAnotherEngineIsVerifiedAndNotRestored) {
  const fs::path archive = write_archive({{"id", "1"}, {"name", "web"}}, json::object());
  EXPECT_EQ(kind_thrown_by([&] { restore(archive); }), ErrorKind::kUnsupported);
  expect_nothing_left();
  const auto verified = verify_archive(archive, destination_.dumps(), {}, observer_);
  EXPECT_EQ(verified.container.name, "web");
  EXPECT_THAT(verified.demands, IsEmpty());
}

// --- in place
// --------------------------------------------------------------------------------------

class RestoreInPlaceTest : public RestoreTest {
 protected:
  RestoreInPlaceTest() {
    engine_.make_container();
    make_directory(engine_.volume("data"));
    write_text(engine_.volume("data") / "rows", "later");
    destination_.stored = {.cgroup = "/of-the-configuration",
                           .writable_layer = engine_.root(),
                           .volumes = {{"data", engine_.volume("data")}}};
  }
};

TEST_F(RestoreInPlaceTest, WithItsOwnFilesAfterACheckpointThatEndedIt) {
  destination_.stored.images = scratch_ / "images";
  destination_.stored.archive = write_archive();
  restore_stored();
  EXPECT_EQ(engine_.dumped_cgroup, "/of-the-configuration");
  EXPECT_EQ(read_file(engine_.volume("data") / "rows"), "later");
  EXPECT_TRUE(path_exists(engine_.root() / "base"));
  EXPECT_FALSE(path_exists(scratch_ / "images")) << "they are of no use any more";
  expect_no_operation();
}

TEST_F(RestoreInPlaceTest, IsSetBackToALiveCheckpoint) {
  destination_.stored.archive = write_archive();
  restore_stored();
  EXPECT_EQ(engine_.dumped_cgroup, "/of-the-dump");
  EXPECT_EQ(read_file(engine_.volume("data") / "rows"), "rows");
  EXPECT_EQ(read_file(engine_.root() / "new"), "new");
  EXPECT_EQ(read_file(engine_.container() / "etc/hosts"), "edited");
  EXPECT_FALSE(path_exists(aside(engine_.root())));
  EXPECT_FALSE(path_exists(aside(engine_.container() / "etc")));
  EXPECT_FALSE(path_exists(aside(engine_.volume("data"))));
  EXPECT_FALSE(path_exists(*destination_.stored.archive));
  expect_no_operation();
}

// The archive is of its own store: nobody has to be asked.
TEST_F(RestoreInPlaceTest, HasItsDeviceNodesAgain) {
  STILL_REQUIRE_ROOT();
  for (const char* tree : {"data", "shm", "changed"}) {
    ASSERT_EQ(::mknod((scratch_ / tree / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  }
  destination_.stored.archive = write_archive();
  restore_stored();
  for (const fs::path& place :
       {engine_.volume("data"), engine_.container() / "shm", engine_.root()}) {
    struct stat status{};
    ASSERT_EQ(::lstat((place / "null").c_str(), &status), 0) << place;
    EXPECT_EQ(status.st_rdev, makedev(1, 3)) << place;
  }
}

TEST_F(RestoreInPlaceTest, SetsImmutableFilesBackAndRemovesThem) {
  const fs::path data = engine_.volume("data");
  STILL_REQUIRE(test::set_flags(scratch_ / "data/rows", kImmutable), "immutable files");
  ASSERT_TRUE(test::set_flags(scratch_ / "data", kAppendOnly));
  ASSERT_TRUE(test::set_flags(data / "rows", kAppendOnly) && test::set_flags(data, kImmutable));
  destination_.stored.archive = write_archive();
  engine_.start_fails = true;
  EXPECT_EQ(kind_thrown_by([&] { restore_stored(); }), ErrorKind::kRuntime);
  EXPECT_EQ(read_file(data / "rows"), "later");
  EXPECT_EQ(test::flags_of(data), kImmutable);
  EXPECT_EQ(test::flags_of(data / "rows"), kAppendOnly);
  engine_.start_fails = false;
  restore_stored();
  EXPECT_EQ(read_file(data / "rows"), "rows");
  EXPECT_EQ(test::flags_of(data), kAppendOnly);
  EXPECT_EQ(test::flags_of(data / "rows"), kImmutable);
  EXPECT_FALSE(path_exists(aside(data)));
  expect_no_operation();
}

// As a crash between them leaves it: before the directory is set aside, and after.
TEST_F(RestoreInPlaceTest, AnImmutableDirectoryIsSoAgainAfterAnInterruptedOne) {
  const fs::path data = engine_.volume("data");
  STILL_REQUIRE(test::set_flags(data, kImmutable), "immutable files");
  register_undo(undoers_, {});
  journal::Entry entry;
  entry.key = "key";
  entry.add(set_aside_step(data));
  ASSERT_TRUE(test::set_flags(data, 0));
  EXPECT_THAT(undoers_.undo(*host_, entry), IsEmpty());
  EXPECT_EQ(test::flags_of(data), kImmutable);
  ASSERT_TRUE(test::set_flags(data, 0));
  fs::rename(data, aside(data));
  EXPECT_THAT(undoers_.undo(*host_, entry), ElementsAre(HasSubstr("back")));
  EXPECT_EQ(test::flags_of(data), kImmutable);
  EXPECT_EQ(read_file(data / "rows"), "later");
}

TEST_F(RestoreInPlaceTest, IsAsBeforeWhenTheRuntimeFails) {
  destination_.stored.archive = write_archive();
  engine_.start_fails = true;
  EXPECT_EQ(kind_thrown_by([&] { restore_stored(); }), ErrorKind::kRuntime);
  EXPECT_FALSE(engine_.is_mounted);
  EXPECT_EQ(read_file(engine_.volume("data") / "rows"), "later");
  EXPECT_TRUE(path_exists(engine_.root() / "base"));
  EXPECT_FALSE(path_exists(engine_.root() / "new"));
  EXPECT_EQ(read_file(engine_.container() / "etc/hosts"), "new");
  EXPECT_TRUE(path_exists(*destination_.stored.archive));
  expect_no_operation();
}

TEST_F(RestoreInPlaceTest, IsRefusedWhereThereIsNothingToRestore) {
  EXPECT_THAT(message_thrown_by([&] { restore_stored(); }), HasSubstr("has no checkpoint"));
  destination_.stored.is_running = true;
  EXPECT_THAT(message_thrown_by([&] { restore_stored(); }), HasSubstr("is running"));
}

// --- interrupted
// -----------------------------------------------------------------------------------

TEST_F(RestoreTest, WhatIsLeftOfAnInterruptedOneTheEngineUndoes) {
  std::vector<std::string> calls;
  register_undo(
      undoers_,
      {.remove_made =
           [&](const journal::Host&, const std::string& operation) {
             calls.push_back("remove " + operation);
             return std::vector<std::string>{"the container web", "the volume data"};
           },
       .end = [&](const journal::Host&, const std::string& id) { calls.push_back("end " + id); },
       .settle =
           [&](const journal::Host&, const std::string& id, std::optional<bool> has_run) {
             calls.push_back("settle " + id + (has_run && !*has_run ? ", which has not run" : ""));
             return subject::InOwnFiles::kUsedUp;
           }});
  journal::Entry entry;
  entry.key = "key";
  entry.container_id = "web";
  entry.add(made_step());
  entry.add(set_back_step());
  set_own_files_step(entry, false);

  EXPECT_THAT(undoers_.undo(*host_, entry),
              ElementsAre(HasSubstr("its checkpoint is used up"),
                          "removed the container web, removed the volume data"));
  EXPECT_THAT(calls, ElementsAre("settle web, which has not run", "end web", "remove key"));
}

}  // namespace
}  // namespace still::restore
