// The journal: what is written, in which order it is undone, what is left alone, and entries of
// earlier versions.
#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/text.h"
#include "checkpoint/leftovers.h"
#include "cli/undo.h"
#include "cut/leftovers.h"
#include "engine/container/container.h"
#include "journal/entry.h"
#include "journal/host.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "journal/recovery.h"
#include "journal/typed_step.h"
#include "journal/undoers.h"
#include "os/clock.h"
#include "os/files.h"
#include "restore/leftovers.h"
#include "support.h"

namespace still::journal {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using test::Scratch;
using test::write_text;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Note {
  static constexpr const char* kKind = "note";
  static constexpr Lasts kLasts = Lasts::kForEver;
  std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Note, text)

struct Passing {
  static constexpr const char* kKind = "passing";
  static constexpr Lasts kLasts = Lasts::kUntilReboot;
};

// No process has that number.
constexpr pid_t kDeadPid = 1 << 30;

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    layout_.create();
    add_undo<Note>(undoers_, [](const Note& note, const Interrupted&) {
      return note.text.empty() ? std::nullopt : std::optional("undid " + note.text);
    });
    add_undo<Passing>(undoers_, [](const Passing&, const Interrupted& interrupted) {
      return std::optional("let " + interrupted.container_id() + " go");
    });
    cli::register_undo(undoers_);
  }

  static Entry interrupted_entry(const std::string& key = "0123456789abcdef") {
    Entry entry;
    entry.key = key;
    entry.operation = "checkpoint";
    entry.container_id = "c0ffee";
    entry.container_name = "web";
    entry.boot_id = boot_id();
    entry.owner = {.pid = kDeadPid, .start_time = 1};
    return entry;
  }

  std::vector<std::string> undo(const Entry& entry) { return undoers_.undo(host_, entry); }

  // What recovery says.
  std::string recover() {
    testing::internal::CaptureStderr();
    undo_interrupted_operations(host_);
    return testing::internal::GetCapturedStderr();
  }

  std::vector<std::string> kinds(const Entry& entry) {
    std::vector<std::string> result;
    for (const Step& step : entry.steps) result.push_back(step.kind);
    return result;
  }

  Entry only_entry() {
    const auto entries = read_entries(store_);
    EXPECT_THAT(entries, SizeIs(1));
    return entries.at(0);
  }

  const Scratch scratch_;
  store::Layout layout_{.root = scratch_.make("root"), .runroot = scratch_.make("run")};
  store::Store store_{layout_.root};
  Undoers undoers_;
  const Host host_{.layout = layout_, .store = store_, .undoers = undoers_};
};

TEST_F(JournalTest, EntryComesBackWhole) {
  Entry entry = interrupted_entry();
  entry.guardian = {.pid = 2, .start_time = 3};
  entry.runtime = {.pid = 4, .start_time = 5};
  entry.init = {.pid = 6, .start_time = 7};
  entry.add(make_step(Note{"one"}));
  entry.add(make_step(Passing{}, "another"));
  write_entry(store_, entry);
  const Entry read = read_entry(store_, entry.key).value();
  EXPECT_EQ(read.operation, "checkpoint");
  EXPECT_EQ(read.container_id, "c0ffee");
  EXPECT_EQ(read.container_name, "web");
  EXPECT_EQ(read.boot_id, boot_id());
  EXPECT_EQ(read.owner.pid, kDeadPid);
  EXPECT_EQ(read.guardian.start_time, 3);
  EXPECT_EQ(read.runtime.pid, 4);
  EXPECT_EQ(read.init.start_time, 7);
  ASSERT_THAT(kinds(read), ElementsAre("note", "passing"));
  EXPECT_EQ(read_step<Note>(read.steps[0]).text, "one");
  EXPECT_EQ(read.steps[1].container_id, "another");
  EXPECT_FALSE(read_entry(store_, "another key"));
}

TEST_F(JournalTest, StepsOfAKindAreRemoved) {
  Entry entry;
  for (const char* text : {"one", "two"}) entry.add(make_step(Note{text}));
  entry.add(make_step(Passing{}));
  entry.remove("note");
  EXPECT_THAT(kinds(entry), ElementsAre("passing"));
}

TEST_F(JournalTest, StepsAreUndoneTheLastOneFirst) {
  Entry entry = interrupted_entry();
  entry.add(make_step(Note{"one"}));
  entry.add(make_step(Note{""}));
  entry.add(make_step(Passing{}));
  entry.add(make_step(Passing{}, "another"));
  EXPECT_THAT(undo(entry), ElementsAre("let another go", "let c0ffee go", "undid one"));
}

TEST_F(JournalTest, AfterARebootWhatWentWithItIsNotUndone) {
  Entry entry = interrupted_entry();
  entry.boot_id = "another";
  entry.add(make_step(Passing{}));
  entry.add(make_step(Note{"one"}));
  EXPECT_THAT(undo(entry), ElementsAre("undid one"));
}

TEST_F(JournalTest, NothingIsUndoneOfAnEntryWithAnUnknownKind) {
  const auto path = scratch_.make("mine");
  Entry entry = interrupted_entry();
  entry.add({.kind = "time travel", .data = R"({"to": 1985})", .container_id = {}});
  entry.add(path_step(path));
  EXPECT_EQ(kind_thrown_by([&] { undo(entry); }), ErrorKind::kUnsupported);
  EXPECT_TRUE(path_exists(path));
}

TEST_F(JournalTest, NothingIsUndoneOfAnEntryThatCannotBeRead) {
  const auto path = scratch_.make("mine");
  Entry entry = interrupted_entry();
  entry.add({.kind = "note", .data = R"({"text": 1985})", .container_id = {}});
  entry.add(path_step(path));
  EXPECT_EQ(kind_thrown_by([&] { undo(entry); }), ErrorKind::kCorrupt);
  EXPECT_TRUE(path_exists(path));
}

TEST_F(JournalTest, AMissingKeyIsNoError) {
  EXPECT_EQ(read_step<Note>({.kind = "note", .data = "{}", .container_id = {}}).text, "");
  store_.put_journal_entry("k", R"({"key": "k", "steps": [{"kind": "passing"}]})");
  EXPECT_THAT(kinds(only_entry()), ElementsAre("passing"));
}

TEST_F(JournalTest, AKindIsAddedOnce) { EXPECT_THROW(register_undo(undoers_), std::logic_error); }

TEST_F(JournalTest, PathsAreRemoved) {
  const auto path = scratch_.make("mine");
  write_text(path / "file", "text");
  Entry entry = interrupted_entry();
  entry.add(path_step(path));
  entry.add(path_step(scratch_ / "never made"));
  EXPECT_TRUE(has_paths_left(entry));
  EXPECT_THAT(undo(entry), ElementsAre("removed " + path.native()));
  EXPECT_FALSE(has_paths_left(entry));
}

TEST_F(JournalTest, OperationsLeaveNoEntryUnlessAPathIsLeft) {
  const auto path = scratch_ / "mine";
  const auto run = [&](bool leave) {
    Operation operation(store_, {.operation = "checkpoint"}, [&](Entry& entry) {
      EXPECT_THAT(entry.key, testing::MatchesRegex("[0-9a-f]{16}"));
      entry.add(path_step(path));
    });
    EXPECT_EQ(only_entry().owner.pid, ::getpid());
    operation.update([](Entry& entry) { entry.add(make_step(Note{"two"})); });
    EXPECT_THAT(kinds(only_entry()), ElementsAre("path", "note"));
    if (leave) make_directory(path);
  };
  run(false);
  EXPECT_THAT(store_.journal(), IsEmpty());
  run(true);
  EXPECT_THAT(store_.journal(), SizeIs(1));
}

TEST_F(JournalTest, InterruptedOperationsAreUndone) {
  Entry entry = interrupted_entry();
  entry.add(make_step(Note{"one"}));
  entry.add(make_step(Passing{}));
  write_entry(store_, entry);
  EXPECT_THAT(recover(),
              HasSubstr("a checkpoint of web was interrupted; let c0ffee go, undid one\n"));
  EXPECT_THAT(store_.journal(), IsEmpty());
  write_entry(store_, interrupted_entry());
  EXPECT_THAT(recover(), HasSubstr("a checkpoint of web was interrupted; nothing was left\n"));
}

TEST_F(JournalTest, OperationsThatSomebodyLooksAfterAreNot) {
  Entry owned = interrupted_entry("owned");
  owned.owner = identify_process(::getpid());
  write_entry(store_, owned);
  Entry guarded = interrupted_entry("guarded");
  guarded.guardian = identify_process(::getpid());
  write_entry(store_, guarded);
  EXPECT_EQ(recover(), "");
  EXPECT_FALSE(has_interrupted_operation(store_, "c0ffee"));
  EXPECT_THAT(store_.journal(), SizeIs(2));
}

TEST_F(JournalTest, AnEntryWithAnUnknownKindStaysWithALine) {
  Entry entry = interrupted_entry();
  entry.add({.kind = "time travel", .data = "{}", .container_id = {}});
  write_entry(store_, entry);
  Entry other = interrupted_entry("other");
  other.container_name = "db";
  write_entry(store_, other);
  const std::string said = recover();
  EXPECT_THAT(said, AllOf(HasSubstr("a checkpoint of web was interrupted and cannot be undone yet: "
                                    "its step \"time travel\""),
                          HasSubstr("newer version"), HasSubstr("of db was interrupted; nothing")));
  EXPECT_EQ(std::ranges::count(said, '\n'), 2);
  EXPECT_EQ(only_entry().key, entry.key);
}

TEST_F(JournalTest, AnEntryIsAboutTheContainersOfItsSteps) {
  Entry entry = interrupted_entry();
  entry.add(make_step(Passing{}, "another"));
  write_entry(store_, entry);
  EXPECT_TRUE(has_interrupted_operation(store_, "c0ffee"));
  EXPECT_TRUE(has_interrupted_operation(store_, "another"));
  EXPECT_FALSE(has_interrupted_operation(store_, "third"));
}

// A directory that looks like a frozen cgroup.
std::filesystem::path make_frozen(const std::filesystem::path& directory) {
  make_directories(directory);
  write_text(directory / "cgroup.procs", "");
  write_text(directory / "cgroup.freeze", "1\n");
  write_text(directory / "cgroup.events", "populated 1\nfrozen 1\n");
  return directory;
}

bool asks_to_freeze(const std::filesystem::path& directory) {
  return trim(read_file(directory / "cgroup.freeze")) == "1";
}

// Entries as they were before they had steps, word for word.
class OldEntryTest : public JournalTest {
 protected:
  static std::string identity(const ProcessIdentity& process) {
    return formatted(R"({{"pid":{},"start_time":{}}})", process.pid, process.start_time);
  }

  static std::string frozen_cgroup(const std::string& id, const std::filesystem::path& directory) {
    return formatted(
        R"({{"container_id":"{}","directory":"{}","init":{},"inode":{},"version":"v2"}})", id,
        directory.native(), identity(identify_process(::getpid())),
        stat_fd(test::open_dir(directory)).st_ino);
  }

  // fields: those that are not as in an entry of nothing, each with a comma behind it; the last one
  // of a name wins.
  Entry put(const std::string& operation, const std::string& fields) {
    std::string text = R"({"boot_id":")" + boot_id() +
                       R"(","brings_back":false,"cgroups":[],"container_id":"c0ffee",)"
                       R"("container_name":"web","fork_images":"",)"
                       R"("guardian":{"pid":0,"start_time":0},"images":"","in_own_files":false,)"
                       R"("init":4711,"key":"0123456789abcdef","lent_cgroup":"","lent_from":"",)"
                       R"("may_have_run":false,"owner":{"pid":1073741824,"start_time":1},)"
                       R"("paths":[],"runtime":{"pid":0,"start_time":0},"set_aside":[],)" +
                       fields + R"("operation":")" + operation + "\"}";
    store_.put_journal_entry("0123456789abcdef", text);
    return only_entry();
  }

  void add_container(const std::string& id, pid_t pid, uint64_t start_time) {
    store::ContainerRecord record;
    record.id = id;
    record.name = id;
    record.config_json = "{}";
    record.pid = pid;
    record.pid_start_time = start_time;
    store_.add_container(record);
  }
};

TEST_F(OldEntryTest, OfALiveCheckpointWithForks) {
  const auto web = make_frozen(scratch_ / "cgroup/web");
  const auto db = make_frozen(scratch_ / "cgroup/db");
  const auto staging = scratch_.make("staging");
  add_container("c0ffee", 4711, 12345);
  const Entry entry = put(
      "checkpoint", formatted(R"("cgroups":[{},{}],"fork_images":"{}/images",)"
                              R"("lent_cgroup":"/lent","lent_from":"/home",)"
                              R"("paths":["/archive.part","{}"],)"
                              R"("runtime":{{"pid":1073741825,"start_time":1}},)",
                              frozen_cgroup("c0ffee", web), frozen_cgroup("deadbeef0000f00d", db),
                              staging.native(), staging.native()));
  EXPECT_EQ(entry.key, "0123456789abcdef");
  EXPECT_EQ(entry.container_id, "c0ffee");
  EXPECT_EQ(entry.container_name, "web");
  EXPECT_EQ(entry.owner.pid, kDeadPid);
  EXPECT_EQ(entry.runtime.pid, 1073741825);
  EXPECT_EQ(entry.init.pid, 4711);
  EXPECT_EQ(entry.init.start_time, 12345);
  EXPECT_THAT(kinds(entry),
              ElementsAre("path", "path", "lent cgroup", "copies", "freezer", "freezer"));
  EXPECT_TRUE(has_interrupted_operation(store_, "deadbeef0000f00d"));
  EXPECT_THAT(recover(), HasSubstr("a checkpoint of web was interrupted; thawed it, thawed "
                                   "deadbeef0000, removed " +
                                   staging.native() + "\n"));
  EXPECT_FALSE(asks_to_freeze(web));
  EXPECT_FALSE(asks_to_freeze(db));
  EXPECT_FALSE(path_exists(staging));
  EXPECT_THAT(store_.journal(), IsEmpty());
}

TEST_F(OldEntryTest, OfADefaultCheckpoint) {
  const auto images = scratch_.make("checkpoint-0123456789abcdef");
  const Entry entry =
      put("checkpoint",
          formatted(R"("images":"{0}","paths":["/archive.part","{0}"],)", images.native()));
  EXPECT_THAT(kinds(entry), ElementsAre("path", "path", "default checkpoint"));
  // Its container was removed meanwhile.
  EXPECT_THAT(recover(), HasSubstr("interrupted; removed " + images.native() + "\n"));
  EXPECT_THAT(store_.journal(), IsEmpty());
}

TEST_F(OldEntryTest, OfARestoreOfAnArchive) {
  const auto unpacked = scratch_.make("restore-0123456789ab");
  store_.add_volume({.name = "made", .labels = {}, .made_by = "0123456789abcdef"});
  store_.add_volume({.name = "mine", .labels = {}, .made_by = {}});
  const Entry entry =
      put("restore", formatted(R"("container_id":"","paths":["{}"],)", unpacked.native()));
  EXPECT_THAT(kinds(entry), ElementsAre("path", "made by restore"));
  EXPECT_THAT(recover(), HasSubstr("a restore of web was interrupted; removed the volume made, "
                                   "removed " +
                                   unpacked.native() + "\n"));
  EXPECT_FALSE(store_.volume("made"));
  EXPECT_TRUE(store_.volume("mine"));
}

TEST_F(OldEntryTest, OfARestoreOfALiveCheckpointInPlace) {
  const auto upper = scratch_.make("upper");
  const auto volume = scratch_.make("volume");
  std::filesystem::rename(upper, restore::aside(upper));
  write_text(restore::aside(upper) / "file", "before");
  make_directory(upper);
  const Entry entry =
      put("restore", formatted(R"("brings_back":true,"set_aside":["{}","{}"],"paths":["/x"],)",
                               upper.native(), volume.native()));
  EXPECT_THAT(kinds(entry), ElementsAre("path", "set aside", "set aside", "set back"));
  EXPECT_THAT(recover(), HasSubstr("interrupted; put " + upper.native() + " back\n"));
  EXPECT_EQ(read_file(upper / "file"), "before");
  EXPECT_TRUE(path_exists(volume));
}

TEST_F(OldEntryTest, OfARestoreFromADefaultCheckpoint) {
  const Entry entry = put("restore", R"("in_own_files":true,"may_have_run":true,)");
  ASSERT_THAT(kinds(entry), ElementsAre("own files"));
  EXPECT_EQ(nlohmann::json::parse(entry.steps[0].data), nlohmann::json({{"may_have_run", true}}));
}

TEST_F(OldEntryTest, OfARestoreThatHasSucceeded) {
  const auto aside = scratch_.make("upper.before-restore");
  const Entry entry = put("clean-up after a restore",
                          formatted(R"("brings_back":true,"paths":["{}"],)", aside.native()));
  EXPECT_THAT(kinds(entry), ElementsAre("path"));
  EXPECT_THAT(recover(), HasSubstr("a clean-up after a restore of web was interrupted; removed " +
                                   aside.native() + "\n"));
}

TEST_F(OldEntryTest, WithoutKeysThatCameLater) {
  store_.put_journal_entry(
      "k", R"({"key":"k","operation":"checkpoint","paths":["/one"],"container_id":"c0ffee"})");
  const Entry entry = only_entry();
  EXPECT_EQ(entry.container_id, "c0ffee");
  EXPECT_THAT(kinds(entry), ElementsAre("path"));
}

// What a restore notes while it goes on.
TEST_F(JournalTest, ASucceededRestoreLeavesOnlyWhatIsToBeRemoved) {
  const auto upper = scratch_.make("upper");
  Operation operation(store_, {.operation = restore::kOperation}, [&](Entry& entry) {
    entry.add(path_step("/x"));
    entry.add(restore::set_aside_step(upper));
    entry.add(restore::set_back_step());
    restore::set_own_files_step(entry, false);
    restore::set_own_files_step(entry, true);
  });
  EXPECT_THAT(kinds(only_entry()), ElementsAre("path", "set aside", "set back", "own files"));
  restore::has_succeeded(operation);
  const Entry entry = only_entry();
  EXPECT_EQ(entry.operation, "clean-up after a restore");
  EXPECT_THAT(kinds(entry), ElementsAre("path", "path"));
  EXPECT_EQ(nlohmann::json::parse(entry.steps[1].data)["path"], restore::aside(upper).native());
}

}  // namespace
}  // namespace still::journal
