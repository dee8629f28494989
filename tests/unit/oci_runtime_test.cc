// Command lines for the runtimes, and what is understood of their answers; scripts play them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/text.h"
#include "criu/criu.h"
#include "oci/runtime.h"
#include "os/files.h"
#include "support.h"

namespace still::oci {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// A directory that is in front of PATH while it lives.
class Programs {
 public:
  Programs() : path_(std::getenv("PATH")) {
    ::setenv("PATH", (scratch_.path().native() + ":" + path_).c_str(), 1);
  }
  ~Programs() { ::setenv("PATH", path_.c_str(), 1); }

  // Makes a shell script; it finds its arguments in "$@".
  std::filesystem::path add(const std::string& name, const std::string& script) const {
    test::write_text(scratch_ / name, "#!/bin/sh\n" + script);
    ::chmod((scratch_ / name).c_str(), 0755);
    return scratch_ / name;
  }
  std::filesystem::path state_root() const { return scratch_.make("state"); }

 private:
  const test::Scratch scratch_;
  const std::string path_;
};

class Runtime : public testing::Test {
 protected:
  // A runtime whose every call runs the script.
  std::unique_ptr<OciRuntime> open(const std::string& name, const std::string& script = "",
                                   bool no_cgroups = false) {
    program_ = programs_.add(name, script);
    return OciRuntime::open(name, programs_.state_root(), no_cgroups);
  }
  // The arguments after the program.
  static std::vector<std::string> arguments(const Command& command) {
    return {command.arguments.begin() + 1, command.arguments.end()};
  }
  std::string root() const { return "--root=" + programs_.state_root().native(); }
  void make_known(const std::string& id) const { make_directory(programs_.state_root() / id); }

  const Programs programs_;
  std::filesystem::path program_;
};

TEST_F(Runtime, IsFoundByNameOrPath) {
  const auto runtime = open("crun");
  EXPECT_EQ(runtime->name(), "crun");
  EXPECT_EQ(runtime->program(), program_);
  EXPECT_EQ(OciRuntime::open(programs_.add("runc", ""), "/r", false)->name(), "runc");
}

TEST_F(Runtime, UnderAnotherNameIsToldApartByItsVersion) {
  EXPECT_EQ(open("my-runtime", "echo crun version 1.21")->name(), "crun");
  EXPECT_EQ(open("my-runtime", "echo runc version 1.1.15+ds1; echo commit: 1")->name(), "runc");
  EXPECT_EQ(kind_thrown_by([&] { open("my-runtime", "echo youki version 0.5"); }),
            ErrorKind::kUnsupported);
}

TEST_F(Runtime, ThatDoesNotExistIsNotFound) {
  EXPECT_EQ(kind_thrown_by([] { OciRuntime::open("no-such-runtime", "/r", false); }),
            ErrorKind::kNotFound);
  EXPECT_EQ(kind_thrown_by([] { OciRuntime::open("/no/such/crun", "/r", false); }),
            ErrorKind::kNotFound);
}

TEST_F(Runtime, TellsItsVersion) {
  EXPECT_EQ(open("crun", "echo crun version 1.21; echo commit: abc")->version(), "1.21");
  EXPECT_EQ(open("runc", "echo runc version 1.1.15+ds1")->version(), "1.1.15+ds1");
}

TEST_F(Runtime, WithoutCgroupsIsForCrunOnly) {
  EXPECT_THAT(open("crun", "", true)->global_arguments(),
              ElementsAre(root(), "--cgroup-manager=disabled"));
  EXPECT_THAT(open("crun")->global_arguments(), ElementsAre(root(), "--cgroup-manager=cgroupfs"));
  EXPECT_THAT(open("runc")->global_arguments(), ElementsAre(root()));
  EXPECT_EQ(kind_thrown_by([&] { open("runc", "", true); }), ErrorKind::kUnsupported);
}

TEST_F(Runtime, CheckpointsWithTheFlagsAsked) {
  const CheckpointOptions all{.image_directory = "/i",
                              .work_directory = "/w",
                              .leave_running = true,
                              .tcp_established = true,
                              .file_locks = true,
                              .criu_configuration = "/c/criu.conf"};
  const CheckpointOptions none{.image_directory = "/i", .work_directory = "/w"};

  const auto crun = open("crun");
  EXPECT_THAT(arguments(crun->checkpoint_command("abc", all)),
              ElementsAre(root(), "--cgroup-manager=cgroupfs", "checkpoint", "--image-path=/i",
                          "--work-path=/w", "--leave-running", "--tcp-established", "--file-locks",
                          "--manage-cgroups-mode=ignore", "abc"));
  EXPECT_THAT(crun->checkpoint_command("abc", all).environment,
              ElementsAre(Pair("CRIU_CONFIG_FILE", "/c/criu.conf")));
  EXPECT_THAT(crun->criu_options(none), IsEmpty());

  const auto runc = open("runc");
  EXPECT_THAT(arguments(runc->checkpoint_command("abc", none)),
              ElementsAre(root(), "checkpoint", "--image-path=/i", "--work-path=/w", "abc"));
  EXPECT_THAT(runc->checkpoint_command("abc", none).environment, IsEmpty());
  EXPECT_THAT(runc->criu_options(none), ElementsAre(Pair("manage-cgroups", "ignore")));
}

TEST_F(Runtime, LocksTheNetworkForConnectionsThatAreSaved) {
  CheckpointOptions live{.image_directory = "/i", .work_directory = "/w", .leave_running = true};
  const auto crun = open("crun");
  EXPECT_THAT(crun->criu_options(live),
              ElementsAre(Pair("network-lock", "skip"), Pair("skip-in-flight", "")));
  live.tcp_established = true;
  EXPECT_THAT(crun->criu_options(live), ElementsAre(Pair("skip-in-flight", "")));
}

TEST_F(Runtime, CheckpointsABorrowedCgroupAsTheRoot) {
  const auto crun = open("crun", "", true);
  const auto command = crun->checkpoint_command(
      "abc", {.image_directory = "/i", .work_directory = "/w", .borrowed_cgroup = "/cg/lent"});
  EXPECT_EQ(command.arguments[0], "unshare");
  EXPECT_THAT(command.arguments, Contains("/cg/lent"));
  const auto& all = command.arguments;
  const auto program = std::ranges::find(all, program_.native());
  EXPECT_THAT(std::vector(program + 1, all.end()),
              ElementsAre(root(), "--cgroup-manager=disabled", "checkpoint", "--image-path=/i",
                          "--work-path=/w", "--manage-cgroups-mode=ignore", "abc"));
}

TEST_F(Runtime, RestoresWithTheFlagsAsked) {
  const RestoreOptions all{.image_directory = "/i",
                           .work_directory = "/w",
                           .tcp_established = true,
                           .tcp_close = true,
                           .file_locks = true};
  for (const char* name : {"crun", "runc"}) {
    const auto runtime = open(name);
    EXPECT_THAT(runtime->restore_arguments(all),
                ElementsAre("--work-path=/w", "--tcp-established", "--file-locks"));
    EXPECT_THAT(runtime->criu_options(all), Contains(Pair("tcp-close", "")));
    // runc says so to CRIU itself.
    EXPECT_EQ(runtime->criu_options(all).contains("empty-ns"), name == std::string_view("crun"));
    EXPECT_THAT(runtime->restore_arguments({.image_directory = "/i", .work_directory = "/w"}),
                ElementsAre("--work-path=/w"));
    EXPECT_THAT(runtime->criu_options(RestoreOptions{}), IsEmpty());
  }
}

TEST_F(Runtime, RunsAProcessInTheContainer) {
  const auto runtime = open("runc");
  EXPECT_THAT(arguments(runtime->exec_command("abc", "/p.json", true, true, "/pid")),
              ElementsAre(root(), "exec", "--process=/p.json", "--tty", "--detach",
                          "--pid-file=/pid", "abc"));
  EXPECT_THAT(arguments(runtime->exec_command("abc", "/p.json", false, false, {})),
              ElementsAre(root(), "exec", "--process=/p.json", "abc"));
}

TEST_F(Runtime, StateIsReadFromItsAnswer) {
  make_known("abc");
  const auto running = open("crun", R"(echo '{"id":"abc","pid":42,"status":"running"}')");
  const auto state = running->state("abc");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->status, "running");
  EXPECT_EQ(state->pid, 42);
  const auto stopped = open("crun", R"(echo '{"id":"abc","pid":42,"status":"stopped"}')");
  EXPECT_EQ(stopped->state("abc")->pid, 0);
}

TEST_F(Runtime, AnUnknownContainerHasNoState) {
  EXPECT_FALSE(open("crun", "exit 1")->state("abc"));
  make_known("abc");
  EXPECT_FALSE(open("runc", R"(echo 'time="2026-01-01T00:00:00Z" level=error )"
                            R"(msg="container does not exist"' >&2; exit 1)")
                   ->state("abc"));
  EXPECT_FALSE(open("crun",
                    "echo 'error opening file `/run/abc/status`: No such file or "
                    "directory' >&2; exit 1")
                   ->state("abc"));
}

TEST_F(Runtime, GarbageIsNotTakenForAState) {
  make_known("abc");
  for (const char* script : {"echo nonsense", "echo '{}'", "echo '{\"status\":7}'", "echo '[]'"}) {
    const auto runtime = open("crun", script);
    EXPECT_EQ(kind_thrown_by([&] { runtime->state("abc"); }), ErrorKind::kRuntime) << script;
  }
  EXPECT_THAT(message_thrown_by([&] { open("crun", "echo broken >&2; exit 1")->state("abc"); }),
              HasSubstr("broken"));
}

TEST_F(Runtime, AFailureHasTheRuntimesMessage) {
  EXPECT_EQ(message_thrown_by([&] {
              open("crun", "echo first >&2; echo 'it is broken' >&2; exit 1")->start("abc");
            }),
            "crun start failed: it is broken");
  EXPECT_EQ(kind_thrown_by([&] { open("crun", "exit 1")->start("abc"); }), ErrorKind::kRuntime);
}

TEST_F(Runtime, KillingWhatHasEndedIsNoError) {
  open("crun", "exit 1")->kill("abc", 15, false);
  make_known("abc");
  open("crun", R"([ "$3" = state ] || exit 1; echo '{"status":"stopped"}')")->kill("abc", 9, true);
  const auto runtime =
      open("crun", R"([ "$3" = state ] || exit 1; echo '{"status":"running","pid":1}')");
  EXPECT_EQ(kind_thrown_by([&] { runtime->kill("abc", 15, false); }), ErrorKind::kRuntime);
}

TEST_F(Runtime, KillNamesTheSignalAndWhom) {
  const auto said = programs_.state_root() / "said";
  const std::string note = "echo \"$@\" >" + said.native();
  open("runc", note)->kill("abc", 15, true);
  EXPECT_EQ(read_file(said), root() + " kill --all abc 15\n");
  open("runc", note)->kill("abc", 9, false);
  EXPECT_EQ(read_file(said), root() + " kill abc 9\n");
}

TEST_F(Runtime, RemovingWhatIsGoneIsNoError) {
  open("crun", "exit 1")->remove("abc");
  make_known("abc");
  const auto runtime = open("crun", "exit 1");
  EXPECT_EQ(kind_thrown_by([&] { runtime->remove("abc"); }), ErrorKind::kRuntime);
}

TEST(RuntimeMessage, IsTheLastLineWithoutTheLogFormat) {
  EXPECT_EQ(runtime_message("warning\nerror: it broke\n\n"), "error: it broke");
  EXPECT_EQ(runtime_message(R"(time="2026-11-23T06:57:09Z" level=error msg="criu failed: type )"
                            R"(NOTIFY errno 0\nlog file: /w/restore.log"
)"),
            R"(criu failed: type NOTIFY errno 0\nlog file: /w/restore.log)");
  EXPECT_EQ(runtime_message(R"(time="x" level=error msg="open \"a\": no" error="y")"),
            R"(open "a": no)");
  EXPECT_EQ(runtime_message(""), "");
}

TEST(RuntimeLogs, AreInTheWorkDirectory) {
  EXPECT_EQ(dump_log("/w"), "/w/dump.log");
  EXPECT_EQ(restore_log("/w"), "/w/restore.log");
}

TEST(CriuVersion, IsAskedFromTheProgram) {
  const Programs programs;
  programs.add("criu", "echo Version: 4.1.1; echo GitID: 0");
  EXPECT_EQ(criu::criu_version(), "4.1.1");
  programs.add("criu", "echo something else");
  EXPECT_EQ(kind_thrown_by([] { criu::criu_version(); }), ErrorKind::kRuntime);
}

TEST(CriuVersion, WithoutCriuIsAnErrorThatSaysWhatToInstall) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  try {
    criu::criu_version();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_THAT(error.hint(), HasSubstr("install criu"));
  }
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace still::oci
