// CRIU's images, logs and configuration, from bytes and lines written here.
#include "criu/criu.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "criu/cgroups.h"
#include "criu/failure.h"
#include "criu/mount_sources.h"
#include "criu/network.h"
#include "criu/root_mode.h"
#include "criu_image_bytes.h"
#include "os/files.h"
#include "support.h"

namespace still::criu {
namespace {

using test::kind_thrown_by;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A protobuf message, built by hand: what is tested must not build its own test data.
class Message {
 public:
  Message& number(int field, uint64_t value) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(value);
    return *this;
  }
  Message& text(int field, const std::string& value) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

std::string little_endian(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string image(uint32_t kind, uint32_t type, const Message& message) {
  return little_endian(kind) + little_endian(type) +
         little_endian(static_cast<uint32_t>(message.bytes().size())) + message.bytes();
}

std::string statistics(const Message& message) { return image(0x55105940, 0x57093306, message); }

Message dump_entry() {
  Message dump;
  for (int field = 1; field <= 4; ++field) dump.number(field, 100 * field);
  dump.number(5, 7'000'000'000).number(6, 1).number(7, 5'000'000'000).number(9, 3);
  return dump;
}

TEST(CriuStatistics, OfADumpAreRead) {
  const test::Scratch scratch;
  write_text(scratch / "stats-dump", statistics(Message().message(1, dump_entry())));
  const auto found = read_dump_statistics(scratch / "stats-dump");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->freezing_time, 100U);
  EXPECT_EQ(found->frozen_time, 200U);
  EXPECT_EQ(found->memdump_time, 300U);
  EXPECT_EQ(found->memwrite_time, 400U);
  EXPECT_EQ(found->pages_scanned, 7'000'000'000U);
  EXPECT_EQ(found->pages_written, 5'000'000'000U);
}

TEST(CriuStatistics, OfARestoreAreRead) {
  const test::Scratch scratch;
  const auto restore =
      Message().number(1, 1).number(2, 2).number(3, 33).number(4, 44).number(5, 55);
  write_text(scratch / "stats-restore", statistics(Message().message(2, restore)));
  const auto found = read_restore_statistics(scratch / "stats-restore");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->forking_time, 33U);
  EXPECT_EQ(found->restore_time, 44U);
  EXPECT_EQ(found->pages_restored, 55U);
}

TEST(CriuStatistics, WithoutAFileThereAreNone) {
  const test::Scratch scratch;
  EXPECT_FALSE(read_dump_statistics(scratch / "stats-dump"));
  EXPECT_FALSE(read_restore_statistics(scratch / "stats-restore"));
}

TEST(CriuStatistics, DamageIsSeen) {
  const test::Scratch scratch;
  const auto file = scratch / "stats-dump";
  const std::string good = statistics(Message().message(1, dump_entry()));
  const auto kind_of = [&](const std::string& content) {
    write_text(file, content);
    return kind_thrown_by([&] { read_dump_statistics(file); });
  };
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(kind_of(good.substr(0, size)), ErrorKind::kCorrupt) << size;
  }
  EXPECT_EQ(kind_of(good + "x"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of("x" + good.substr(1)), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(statistics(Message().message(1, Message().number(1, 1)))), ErrorKind::kCorrupt);
  // The other kind of statistics is none of this kind.
  EXPECT_EQ(kind_of(statistics(Message())), ErrorKind::kCorrupt);
}

TEST(CriuLog, TheFirstThreeErrorsExplainTheFailure) {
  const test::Scratch scratch;
  write_text(scratch / "dump.log",
             "(00.000123) Version: 4.1.1 (gitid 0)\n"
             "(00.001182) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: "
             "Operation not permitted\n"
             "(00.002000) Warn  (criu/image.c:1): nothing\n"
             "(00.012345) Error (criu/mount.c:1234): mnt: Can't lookup mount=5\n"
             "(00.013000)     12: Error (criu/files.c:77): second\n"
             "(00.013500) task says: Error (not ours): quoted\n"
             "(00.014000) Error (criu/cr-dump.c:9): third\n"
             "(00.015000) Error (criu/cr-dump.c:2128): Dumping FAILED.\n");
  EXPECT_EQ(explain_criu_log(scratch / "dump.log").words,
            "Error (criu/mount.c:1234): mnt: Can't lookup mount=5; "
            "Error (criu/files.c:77): second; Error (criu/cr-dump.c:9): third");
}

TEST(CriuLog, ACrypticFailureIsPutIntoWords) {
  const test::Scratch scratch;
  write_text(
      scratch / "dump.log",
      "(00.1) Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not "
      "supported\n(00.2) Error (criu/cr-dump.c:1681): Dump files (pid: 50) failed with -1\n");
  EXPECT_THAT(explain_criu_log(scratch / "dump.log").words, HasSubstr("cannot dump IP sockets"));
  write_text(
      scratch / "dump.log",
      "(02.0) Error (criu/cr-dump.c:1791): Timeout reached. Try to interrupt: 0\n"
      "(02.0) Error (compel/src/lib/infect.c:263): Unseizable non-zombie 438 found, state D, "
      "err -1/4\n");
  EXPECT_THAT(explain_criu_log(scratch / "dump.log").words,
              testing::StartsWith("task 438 does not stop"));
}

TEST(CriuLog, ConsequencesAreToldWhereThereIsNoCause) {
  const test::Scratch scratch;
  const std::string consequences =
      "(00.2) Error (criu/cr-dump.c:1681): Dump files (pid: 50) failed with -1\n"
      "(00.2) Error (criu/cr-dump.c:2111): Dumping FAILED.\n";
  write_text(scratch / "dump.log", consequences);
  EXPECT_EQ(explain_criu_log(scratch / "dump.log").words,
            "Error (criu/cr-dump.c:1681): Dump files (pid: 50) failed with -1; "
            "Error (criu/cr-dump.c:2111): Dumping FAILED.");
  write_text(scratch / "dump.log",
             "(00.1) Error (criu/files-ext.c:94): Can't dump file 3\n" + consequences);
  EXPECT_EQ(explain_criu_log(scratch / "dump.log").words,
            "Error (criu/files-ext.c:94): Can't dump file 3");
}

class FailureWithoutMemory : public testing::Test {
 protected:
  // What becomes of a failure of the runtime with this line in CRIU's log.
  Error explained(const std::string& line) const {
    write_text(scratch_ / "dump.log", "(00.1) " + line + "\n");
    return explain_failure_without_memory(Error(ErrorKind::kRuntime, "crun failed"),
                                          scratch_ / "dump.log", scratch_ / "kept");
  }

  const test::Scratch scratch_;
};

TEST_F(FailureWithoutMemory, IsFinalWhereCriuFailsInAnyDump) {
  const Error error = explained("Error (criu/files-ext.c:94): Can't dump file 3");
  EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
  EXPECT_THAT(error.message(), HasSubstr("Can't dump file 3"));
  EXPECT_THAT(error.hint(), HasSubstr("kept/dump.log"));
}

TEST_F(FailureWithoutMemory, MayBeOfTheMemory) {
  const Error error = explained("Error (criu/mem.c:500): Can't dump page with parasite");
  EXPECT_EQ(error.kind(), ErrorKind::kAnotherWay);
  EXPECT_THAT(error.message(), HasSubstr("Can't dump page"));
  EXPECT_EQ(explained("all is well").kind(), ErrorKind::kAnotherWay);
  // Also where the words do not say where it was.
  const Error known =
      explained("Error (criu/page-pipe.c:29): page-pipe: Can't grow: Cannot allocate memory");
  EXPECT_EQ(known.kind(), ErrorKind::kAnotherWay);
  EXPECT_THAT(known.message(), HasSubstr("not enough memory"));
}

TEST_F(FailureWithoutMemory, OfAThreadThatBearsNoCallsIsFinal) {
  write_text(scratch_ / "dispatching-thread", "12\n");
  const Error error = explained("Error (criu/mem.c:500): whatever");
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(error.message(), HasSubstr("task 12"));
}

TEST(CriuLog, AGoodOneExplainsNothing) {
  const test::Scratch scratch;
  write_text(scratch / "dump.log",
             "(00.001182) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: "
             "Operation not permitted\n(00.062081) Error (criu/util.c:656): exited, status=1\n"
             "(00.187155) Dumping finished successfully\n");
  EXPECT_EQ(explain_criu_log(scratch / "dump.log").words, "");
  EXPECT_EQ(explain_criu_log(scratch / "absent.log").words, "");
}

TEST(CriuLog, NothingInItCanGarbleATerminal) {
  const test::Scratch scratch;
  write_text(scratch / "dump.log", "(00.1) Error (criu/files.c:1): file \x1b[2J\n");
  EXPECT_THAT(explain_criu_log(scratch / "dump.log").words, HasSubstr("file \\x1b[2J"));
}

TEST(CriuLog, TasksMayHaveRunOnceTheNetworkIsUnlocked) {
  const test::Scratch scratch;
  const auto log = scratch / "restore.log";
  EXPECT_FALSE(has_let_run(log));
  write_text(log, "(00.064413) mnt: Switching to new ns to clean ghosts\n");
  EXPECT_FALSE(has_let_run(log));
  write_text(log, "(00.064413) mnt: Switching to new ns\n(00.064500) net: Unlock network\n");
  EXPECT_TRUE(has_let_run(log));
}

TEST(CriuConfiguration, HasOneOptionALine) {
  EXPECT_EQ(criu_configuration({{"tcp-close", ""}, {"ghost-limit", "1048576"}}),
            "ghost-limit=1048576\ntcp-close\n");
  EXPECT_EQ(criu_configuration({}), "");
  EXPECT_EQ(kind_thrown_by([] { criu_configuration({{"work-dir", "/a b"}}); }),
            ErrorKind::kUnsupported);
  EXPECT_EQ(kind_thrown_by([] { criu_configuration({{"work-dir", "/a\nleave-running"}}); }),
            ErrorKind::kUnsupported);
}

// cgroup.img with one set that has these members, and their hierarchies as controllers.
struct Member {
  std::string name;
  std::string path;
  uint64_t prefix = 0;
};

Message set_of(uint64_t id, const std::vector<Member>& members) {
  Message set;
  set.number(1, id);
  for (const Member& member : members) {
    Message entry;
    entry.text(1, member.name).text(2, member.path);
    if (member.prefix > 0) entry.number(3, member.prefix);
    set.message(2, entry);
  }
  return set;
}

Message controller(const std::vector<std::string>& names) {
  Message result;
  for (const auto& name : names) result.text(1, name);
  result.message(2, Message().text(1, "directory to be made by CRIU"));
  return result.number(3, 0);
}

class CriuCgroups : public testing::Test {
 protected:
  void write(const Message& cgroups) {
    write_text(scratch_ / "cgroup.img", image(0x54564319, 0x59383330, cgroups));
  }
  std::string content() const { return read_file(scratch_ / "cgroup.img"); }
  static std::string expected(const Message& cgroups) {
    return image(0x54564319, 0x59383330, cgroups);
  }
  std::vector<std::string> move(const std::string& from, const std::string& to,
                                const std::vector<std::string>& hierarchies) {
    return move_cgroups(scratch_.path(), {from, to, hierarchies});
  }

  const test::Scratch scratch_;
};

TEST_F(CriuCgroups, OnV2TasksGoToTheNewCgroup) {
  write(Message()
            .message(1, set_of(2, {{"", "/still/old", 10}, {"freezer", "/init", 5}}))
            .message(2, controller({"freezer"}))
            .message(2, controller({""})));
  EXPECT_THAT(move("/still/old", "/still/newer", {""}), IsEmpty());
  EXPECT_EQ(content(), expected(Message()
                                    .message(1, set_of(2, {{"", "/still/newer", 12}}))
                                    .message(2, Message().text(1, "").number(3, 0))));
}

TEST_F(CriuCgroups, OfAnArchiveAreMadeByCriu) {
  write(Message()
            .message(1, set_of(2, {{"", "/still/old", 10}, {"freezer", "/init", 5}}))
            .message(1, set_of(3, {{"", "/still/old/a/b", 10}}))
            .message(1, set_of(4, {{"", "/still/old/c"}, {"cpu,cpuacct", "/still/old"}}))
            .message(2, controller({"freezer"})));
  const Message nested = Message()
                             .text(1, "podman/new")
                             .message(2, Message().text(1, "a").message(2, Message().text(1, "b")))
                             .message(2, Message().text(1, "c"));
  const auto files = own_cgroups(scratch_.path(), "/still/old", "/podman/new");
  EXPECT_EQ(
      files.at("cgroup.img"),
      expected(Message()
                   .message(1, set_of(2, {{"", "/podman/new", 11}}))
                   .message(1, set_of(3, {{"", "/podman/new/a/b", 11}}))
                   .message(1, set_of(4, {{"", "/podman/new/c"}, {"cpu,cpuacct", "/podman/new"}}))
                   .message(2, Message().text(1, "").message(2, nested))
                   .message(2, Message()
                                   .text(1, "cpu")
                                   .text(1, "cpuacct")
                                   .message(2, Message().text(1, "podman/new")))));
  EXPECT_EQ(
      own_cgroups(scratch_.path(), "", "").at("cgroup.img"),
      expected(
          Message().message(1, set_of(2, {})).message(1, set_of(3, {})).message(1, set_of(4, {}))));
  const test::Scratch without;
  EXPECT_THAT(own_cgroups(without.path(), "/a", "/b"), IsEmpty());
}

TEST_F(CriuCgroups, OnV1InEveryHierarchyThatIsMountedHere) {
  write(Message()
            .message(1, set_of(2, {{"", "/init"},
                                   {"cpu,cpuacct", "/still/old"},
                                   {"freezer", "/still/old"},
                                   {"name=systemd", "/still/old"}}))
            .message(2, controller({"cpuacct", "cpu"}))
            .message(2, controller({"name=systemd"}))
            .message(2, controller({"freezer"}))
            .message(2, controller({""})));
  EXPECT_THAT(move("/still/old", "/still/new", {"freezer", "cpu,cpuacct"}), IsEmpty());
  EXPECT_EQ(content(),
            expected(Message()
                         .message(1, set_of(2, {{"freezer", "/still/new"},
                                                {"cpu,cpuacct", "/still/new"}}))
                         .message(2, Message().text(1, "cpuacct").text(1, "cpu").number(3, 0))
                         .message(2, Message().text(1, "freezer").number(3, 0))));
}

TEST_F(CriuCgroups, NestedOnesOfV2AreKeptAndNamed) {
  write(Message()
            .message(1, set_of(2, {{"", "/still/old"}}))
            .message(1, set_of(3, {{"", "/still/old/a/b", 10}}))
            .message(1, set_of(4, {{"", "/still/old/a"}}))
            .message(2, controller({""})));
  EXPECT_THAT(move("/still/old", "/new", {""}), ElementsAre("a", "a/b"));
  EXPECT_THAT(content(), HasSubstr("/new/a/b"));
}

TEST_F(CriuCgroups, NestedOnesOfV1ComeIntoTheContainersOwn) {
  write(Message()
            .message(1, set_of(2, {{"freezer", "/still/old/a/b"}}))
            .message(2, controller({"freezer"})));
  EXPECT_THAT(move("/still/old", "/new", {"freezer"}), IsEmpty());
  EXPECT_EQ(content(), expected(Message()
                                    .message(1, set_of(2, {{"freezer", "/new"}}))
                                    .message(2, Message().text(1, "freezer").number(3, 0))));
}

TEST_F(CriuCgroups, WithoutACgroupTasksStayWhereCriuIs) {
  const auto cgroups =
      Message().message(1, set_of(2, {{"", "/still/old", 10}})).message(2, controller({""}));
  const auto nowhere = expected(Message().message(1, set_of(2, {})));
  write(cgroups);
  EXPECT_THAT(move("/still/old", "", {""}), IsEmpty());
  EXPECT_EQ(content(), nowhere);
  write(cgroups);
  EXPECT_THAT(move("", "/still/new", {""}), IsEmpty());
  EXPECT_EQ(content(), nowhere);
}

TEST_F(CriuCgroups, NoImageCanPutTasksOutsideOfTheNewCgroup) {
  const auto own = expected(
      Message().message(1, set_of(2, {{"", "/still/new"}})).message(2, Message().text(1, "")));
  for (const char* path : {"/still/older", "/still", "/", "/other", "/still/old/../other",
                           "/still/old/a/../../../init", "still/old"}) {
    write(Message().message(1, set_of(2, {{"", path}})));
    EXPECT_THAT(move("/still/old", "/still/new", {""}), IsEmpty()) << path;
    EXPECT_EQ(content(), own) << path;
  }
}

TEST_F(CriuCgroups, NoImageCanLeaveAHierarchyOut) {
  write(Message()
            .message(1, set_of(2, {{"freezer", "/still/old"}}))
            .message(1, set_of(3, {}))
            .message(2, controller({"freezer"})));
  move("/still/old", "/new", {"freezer", "cpu,cpuacct"});
  const std::vector<Member> everywhere = {{"freezer", "/new"}, {"cpu,cpuacct", "/new"}};
  EXPECT_EQ(content(), expected(Message()
                                    .message(1, set_of(2, everywhere))
                                    .message(1, set_of(3, everywhere))
                                    .message(2, Message().text(1, "freezer").number(3, 0))
                                    .message(2, Message().text(1, "cpu").text(1, "cpuacct"))));
}

// As from a machine that has the other version only.
TEST_F(CriuCgroups, TasksFromTheOtherVersionGoToTheNewCgroup) {
  write(Message()
            .message(1, set_of(2, {{"freezer", "/still/old"}}))
            .message(2, controller({"freezer"})));
  move("/still/old", "/new", {""});
  EXPECT_EQ(
      content(),
      expected(Message().message(1, set_of(2, {{"", "/new"}})).message(2, Message().text(1, ""))));
}

TEST_F(CriuCgroups, WithoutTheImageThereIsNothingToDo) {
  EXPECT_THAT(move("/still/old", "/still/new", {""}), IsEmpty());
  EXPECT_FALSE(path_exists(scratch_ / "cgroup.img"));
}

TEST_F(CriuCgroups, DamageIsSeen) {
  write_text(scratch_ / "cgroup.img", "no image");
  EXPECT_EQ(kind_thrown_by([&] { move("/still/old", "/still/new", {""}); }), ErrorKind::kCorrupt);
}

constexpr uint32_t kMounts = 0x55563928;

std::string mount_entry(const std::string& rest) {
  return test::number(1, 0) + test::number(5, 0) + test::bytes(6, "/conf") +
         test::bytes(7, "./conf") + test::bytes(8, "/dev/vda") + rest;
}

// What forget_host_mounts() makes of images with these mounts, and that of the expected ones.
// Fields that we do not know are written behind the others: the bytes are sorted.
void expect_forgotten(const std::vector<std::string>& mounts,
                      const std::vector<std::string>& expected) {
  const test::Scratch scratch;
  const auto file = scratch / "mountpoints-12.img";
  write_text(file, test::image(kMounts, mounts));
  forget_host_mounts(scratch.path());
  const auto sorted = [](std::string bytes) {
    std::ranges::sort(bytes);
    return bytes;
  };
  EXPECT_EQ(sorted(read_file(file)), sorted(test::image(kMounts, expected)));
}

TEST(HostMounts, ThatWereReplacedAreForgottenWhereTheRuntimeGivesThem) {
  const std::string key = test::bytes(18, "/conf");
  const std::string deleted = test::number(16, 1);
  expect_forgotten({mount_entry(deleted + key), mount_entry(deleted), mount_entry(key)},
                   {mount_entry(key), mount_entry(deleted), mount_entry(key)});
}

TEST(HostMounts, ThatReachTheRuntimesAreForgotten) {
  const std::string key = test::bytes(18, "/conf");
  const std::string groups = test::number(10, 7) + test::number(11, 5);
  const std::string of_its_own = groups + test::number(15, 1);
  expect_forgotten({mount_entry(groups + key), mount_entry(groups), mount_entry(of_its_own + key)},
                   {mount_entry(key), mount_entry(groups), mount_entry(of_its_own + key)});
}

// Of a container that has a network namespace (5) with or without an image of it, and CRIU's (1).
TEST(CriuNetwork, IsTheOneThatTheRuntimeProvides) {
  constexpr uint32_t kIds = 0x54432030;
  constexpr uint32_t kNetwork = 0x55933752;
  const test::Scratch scratch;
  const std::string of_criu = test::bytes(3, test::number(6, 1));
  write_text(scratch / "inventory.img",
             test::word(0x58313116) + test::word(static_cast<uint32_t>(of_criu.size())) + of_criu);
  write_text(scratch / "ids-1.img", test::image(kIds, {test::number(6, 5)}));
  write_text(scratch / "ids-2.img", test::image(kIds, {test::number(6, 1)}));
  const std::string provided = test::image(kNetwork, {test::bytes(8, "extRootNetNS")});
  for (const char* before : {"", "conf"}) {
    for (const char* name : {"netdev-5.img", "iptables-5.img", "route6-5.img", "netns-ct-5.img"})
      write_text(scratch / name, "evil");
    if (*before != '\0')
      write_text(scratch / "netns-5.img", test::image(kNetwork, {test::bytes(1, before)}));
    use_provided_network(scratch.path());
    EXPECT_EQ(read_file(scratch / "netns-5.img"), provided);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 4);
    std::filesystem::remove(scratch / "netns-5.img");
  }
}

// Of the same: what any runtime restores.
TEST(CriuNetwork, OfItsOwnHasALoopbackDevice) {
  const test::Scratch scratch;
  const std::string of_criu = test::bytes(3, test::number(6, 1));
  write_text(scratch / "inventory.img",
             test::word(0x58313116) + test::word(static_cast<uint32_t>(of_criu.size())) + of_criu);
  write_text(scratch / "ids-1.img", test::image(0x54432030, {test::number(6, 1)}));
  EXPECT_THAT(own_network(scratch.path()), IsEmpty());
  write_text(scratch / "ids-1.img", test::image(0x54432030, {test::number(6, 5)}));
  // lo, as index 1, of 65536 bytes, up, loopback, running.
  const std::string loopback = test::number(1, 1) + test::number(2, 1) + test::number(3, 65536) +
                               test::number(4, 0x49) + test::bytes(5, "lo");
  EXPECT_THAT(
      own_network(scratch.path()),
      testing::ElementsAre(testing::Pair("netdev-5.img", test::image(0x57373951, {loopback})),
                           testing::Pair("netns-5.img", test::image(0x55933752, {""}))));
}

TEST(CriuRootMode, IsWhateverTheRootHas) {
  constexpr uint32_t kFiles = 0x56303138;
  const auto file = [](const std::string& name, bool with_mode) {
    return test::number(1, 1) + test::number(2, 3) +
           test::bytes(3, test::number(1, 3) + test::bytes(6, name) +
                              (with_mode ? test::number(10, 040555) : ""));
  };
  const test::Scratch scratch;
  const auto path = scratch / "files.img";
  write_text(path, test::image(kFiles, {file("/", true), file("/tmp", true), file("/", false)}));
  forget_root_mode(scratch.path());
  EXPECT_EQ(read_file(path),
            test::image(kFiles, {file("/", false), file("/tmp", true), file("/", false)}));
}

}  // namespace
}  // namespace still::criu
