// The freezers on this machine's own cgroups, with real processes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "base/format.h"
#include "base/text.h"
#include "cgroup/borrowed.h"
#include "cgroup/freezer.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "support.h"

namespace still::cgroup {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kind_thrown_by;
using test::message_thrown_by;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// A child process that does what the function says and is killed at the end.
class Workload {
 public:
  explicit Workload(const std::function<void()>& work) : pid_(::fork()) {
    if (pid_ != 0) return;
    work();
    ::_exit(0);
  }
  Workload(Workload&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ~Workload() { end(); }

  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_;
};

// Adds to a counter in shared memory, in three threads.
[[noreturn]] void count(std::atomic<long>& counter) {
  const std::jthread first([&] {
    for (;;) ++counter;
  });
  const std::jthread second([] {
    for (;;) ::pause();
  });
  for (;;) std::this_thread::sleep_for(milliseconds(1));
}

struct SharedCounter {
  SharedCounter() {
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    value = new (memory) std::atomic<long>(0);
  }
  ~SharedCounter() { ::munmap(value, 4096); }
  bool moves() const {
    const long before = *value;
    for (int i = 0; i < 200 && *value == before; ++i) std::this_thread::sleep_for(milliseconds(5));
    return *value != before;
  }
  bool stands() const {
    const long before = *value;
    std::this_thread::sleep_for(milliseconds(30));
    return *value == before;
  }
  std::atomic<long>* value;
};

class RealCgroup : public testing::TestWithParam<Version> {
 protected:
  void SetUp() override {
    STILL_REQUIRE_ROOT();
    mount_point_ = find_mount();
    if (!mount_point_) mount_hierarchy();
    STILL_REQUIRE(mount_point_, "a kernel with the freezer of cgroup " + to_string(GetParam()));
    top_ = *mount_point_ / formatted("still-unit-{}", ::getpid());
    make_directory(top_);
  }

  void TearDown() override {
    if (!top_.empty()) {
      Freezer::open(location())->request(false);  // on v1 the frozen cannot even be killed
      workloads_.clear();
      for (const char* name : {"nested/deep", "nested", "."}) remove(top_ / name);
    }
    unmount_all(scratch_ / "hierarchy");
  }

  static std::optional<std::filesystem::path> find_mount() {
    for (const MountEntry& mount : read_mounts()) {
      const bool suits =
          GetParam() == Version::kV2
              ? mount.type == "cgroup2"
              : mount.type == "cgroup" && std::ranges::contains(mount.super_options, "freezer");
      if (suits) return mount.target;
    }
    return std::nullopt;
  }

  // A machine shows one version; the kernel has both.
  void mount_hierarchy() {
    const auto target = scratch_.make("hierarchy");
    const bool v2 = GetParam() == Version::kV2;
    if (::mount("cgroup", target.c_str(), v2 ? "cgroup2" : "cgroup", 0, v2 ? nullptr : "freezer") ==
        0) {
      mount_point_ = target;
    }
  }

  static void remove(const std::filesystem::path& cgroup) {
    for (int i = 0; i < 400 && ::rmdir(cgroup.lexically_normal().c_str()) != 0; ++i) {
      if (errno == ENOENT) return;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }

  Location location() const { return {GetParam(), "/" + top_.filename().native(), top_}; }

  // Returns when the process is in the cgroup.
  pid_t start(const std::filesystem::path& cgroup, const std::function<void()>& work) {
    make_directories(cgroup);
    Pipe go = make_pipe();
    workloads_.emplace_back([&] {
      char byte = 0;
      if (::read(go.read_end.get(), &byte, 1) == 1) work();
    });
    const pid_t pid = workloads_.back().pid();
    write_control_file(cgroup / "cgroup.procs", std::to_string(pid));
    write_all(go.write_end, "x");
    return pid;
  }

  const test::Scratch scratch_;
  std::optional<std::filesystem::path> mount_point_;
  std::filesystem::path top_;  // empty: nothing was made
  std::vector<Workload> workloads_;
};

INSTANTIATE_TEST_SUITE_P(Freezer, RealCgroup, testing::Values(Version::kV1, Version::kV2),
                         [](const auto& info) { return to_string(info.param); });

TEST_P(RealCgroup, FreezesAndThawsThreadsAndNestedCgroups) {
  SharedCounter outer;
  SharedCounter nested;
  const pid_t first = start(top_, [&] { count(*outer.value); });
  const pid_t second = start(top_ / "nested/deep", [&] { count(*nested.value); });
  ASSERT_TRUE(outer.moves() && nested.moves());

  const auto freezer = Freezer::open(location());
  EXPECT_THAT(freezer->processes(), UnorderedElementsAre(first, second));
  freezer->freeze(deadline_in(seconds(10)));
  EXPECT_TRUE(freezer->state().requested);
  EXPECT_TRUE(freezer->state().frozen);
  EXPECT_TRUE(outer.stands() && nested.stands());

  freezer->thaw(deadline_in(seconds(10)));
  EXPECT_FALSE(freezer->state().requested);
  EXPECT_FALSE(freezer->state().frozen);
  EXPECT_TRUE(outer.moves() && nested.moves());
}

TEST_P(RealCgroup, FreezingTakesMillisecondsAndCanBeRepeated) {
  SharedCounter counter;
  start(top_, [&] { count(*counter.value); });
  ASSERT_TRUE(counter.moves());
  const auto freezer = Freezer::open(location());
  for (int i = 0; i < 50; ++i) {
    freezer->freeze(deadline_in(seconds(10)));
    ASSERT_TRUE(freezer->state().frozen);
    freezer->thaw(deadline_in(seconds(10)));
  }
  EXPECT_TRUE(counter.moves());
}

// Children that live for so long in the time of their parent.
[[noreturn]] void spawn(std::chrono::microseconds time) {
  for (;;) {
    const pid_t child = ::vfork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::usleep(static_cast<useconds_t>(time.count()));
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }
}

TEST_P(RealCgroup, ATaskThatWaitsForAChildOfVforkIsToldWhenAllIsFrozen) {
  const pid_t parent = start(top_ / "nested", [] { spawn(seconds(1000)); });
  start(top_, [] { spawn(std::chrono::microseconds(1)); });
  const auto freezer = Freezer::open(location());
  const auto children = formatted("/proc/{0}/task/{0}/children", parent);
  for (int i = 0; i < 400 && read_file(children).empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  freezer->freeze(deadline_in(seconds(10)));
  EXPECT_THAT(freezer->beyond_ptrace(), Contains(HasSubstr(formatted("{} (", parent))));
  freezer->thaw(deadline_in(seconds(10)));
}

TEST_P(RealCgroup, OneThatHasMadeAChildIsWithinReach) {
  start(top_, [] {
    for (;;) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
    }
  });
  const auto freezer = Freezer::open(location());
  for (int i = 0; i < 50; ++i) {
    freezer->freeze(deadline_in(seconds(10)));
    EXPECT_THAT(freezer->beyond_ptrace(), testing::IsEmpty());
    freezer->thaw(deadline_in(seconds(10)));
    std::this_thread::sleep_for(milliseconds(1));
  }
}

TEST_P(RealCgroup, FreezesWhileProcessesAreMade) {
  start(top_, [] {
    for (;;) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
    }
  });
  const auto freezer = Freezer::open(location());
  for (int i = 0; i < 20; ++i) {
    freezer->freeze(deadline_in(seconds(10)));
    const auto before = freezer->processes();
    std::this_thread::sleep_for(milliseconds(5));
    EXPECT_EQ(freezer->processes(), before);
    freezer->thaw(deadline_in(seconds(10)));
    std::this_thread::sleep_for(milliseconds(2));
  }
}

TEST_P(RealCgroup, AFrozenAncestorIsToldApart) {
  start(top_ / "nested", [] { ::pause(); });
  const auto outer = Freezer::open(location());
  const auto inner = Freezer::open({GetParam(), "/nested", top_ / "nested"});
  outer->freeze(deadline_in(seconds(10)));
  EXPECT_FALSE(inner->state().requested);
  EXPECT_TRUE(inner->state().frozen);
  EXPECT_EQ(kind_thrown_by([&] { inner->thaw(deadline_in(seconds(10))); }), ErrorKind::kConflict);
  outer->thaw(deadline_in(seconds(10)));
  EXPECT_FALSE(inner->state().frozen);
}

TEST_P(RealCgroup, AnEmptyCgroupFreezes) {
  const auto freezer = Freezer::open(location());
  freezer->freeze(deadline_in(seconds(10)));
  EXPECT_TRUE(freezer->state().frozen);
  freezer->thaw(deadline_in(seconds(10)));
}

TEST_P(RealCgroup, ARemovedCgroupIsNotFoundNorOneOfTheSameName) {
  const auto freezer = Freezer::open(location());
  remove(top_);
  make_directory(top_);
  EXPECT_EQ(kind_thrown_by([&] { freezer->state(); }), ErrorKind::kNotFound);
  EXPECT_EQ(kind_thrown_by([&] { freezer->request(true); }), ErrorKind::kNotFound);
  EXPECT_FALSE(Freezer::open(location())->state().requested);
}

TEST_P(RealCgroup, AProcessIsFoundWhereItLives) {
  const pid_t child = start(top_ / "nested", [] { ::pause(); });
  if (GetParam() == Version::kV2) {
    EXPECT_EQ(find_unified_cgroup(child), top_ / "nested");
    return;
  }
  const auto found = find_freezer_cgroup(child);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->directory, top_ / "nested");
}

// A file system whose server does not answer.
class DeafMount {
 public:
  explicit DeafMount(std::filesystem::path target)
      : target_(std::move(target)), server_(open_file("/dev/fuse", O_RDWR)) {
    still::mount("deaf", target_, "fuse", 0,
                 formatted("fd={},rootmode=40000,user_id=0,group_id=0", server_->get()));
  }
  // Without its server the file system fails every request, and the tasks go on.
  ~DeafMount() {
    server_.reset();
    ::umount2(target_.c_str(), MNT_DETACH);
  }

 private:
  const std::filesystem::path target_;
  std::optional<Fd> server_;
};

void wait_for_state(pid_t pid, char state) {
  for (int i = 0; i < 1000; ++i) {
    const auto stat = read_file(formatted("/proc/{}/stat", pid));
    if (stat[stat.rfind(')') + 2] == state) return;
    std::this_thread::sleep_for(milliseconds(5));
  }
  FAIL() << "process " << pid << " does not come to state " << state;
}

TEST_P(RealCgroup, ATaskThatCannotFreezeIsNamedAndTheRestRunsOn) {
  STILL_REQUIRE(path_exists("/dev/fuse"), "/dev/fuse");
  SharedCounter counter;
  start(top_, [&] { count(*counter.value); });
  const auto directory = scratch_.make("deaf");
  std::optional<DeafMount> mount(directory);
  // The first holds the directory's lock while it waits for the server; the second waits for the
  // lock, which no freezer can interrupt.
  const auto make_in_it = [&](const char* name) {
    ::close_range(3, ~0U, 0);  // the server's descriptor with them
    ::mkdir((directory / name).c_str(), 0700);
  };
  workloads_.emplace_back([&] { make_in_it("first"); });
  wait_for_state(workloads_.back().pid(), 'D');
  const pid_t stuck = start(top_ / "nested", [&] { make_in_it("second"); });
  wait_for_state(stuck, 'D');
  ASSERT_TRUE(counter.moves());

  const auto freezer = Freezer::open(location());
  const auto message = message_thrown_by([&] { freezer->freeze(deadline_in(milliseconds(200))); });
  EXPECT_THAT(message, AllOf(HasSubstr("did not freeze"),
                             ContainsRegex(formatted("not frozen: {} \\([^;]*, state D, in "
                                                     "[a-z_]+\\)$",
                                                     stuck))));
  EXPECT_FALSE(freezer->state().requested);
  EXPECT_TRUE(counter.moves());
  mount.reset();
}

class BorrowedRealCgroup : public RealCgroup {};
INSTANTIATE_TEST_SUITE_P(Freezer, BorrowedRealCgroup, testing::Values(Version::kV2),
                         [](const auto& info) { return to_string(info.param); });

TEST_P(BorrowedRealCgroup, TakesAllProcessesAndGivesThemBack) {
  SharedCounter counter;
  const pid_t child = start(top_, [&] { count(*counter.value); });
  ASSERT_TRUE(counter.moves());
  const auto all = [&] { return Freezer::open(location())->processes(); };
  const std::string path = "/" + top_.filename().native() + "-lent";
  const auto former = find_unified_cgroup(child);
  {
    const BorrowedCgroup borrowed(path, child, [&] { return std::vector{child}; });
    EXPECT_EQ(find_unified_cgroup(child), borrowed.directory());
    EXPECT_TRUE(counter.moves());
  }
  EXPECT_EQ(find_unified_cgroup(child), former);
  EXPECT_THAT(all(), Contains(child));
  EXPECT_FALSE(path_exists(top_.native() + "-lent"));
}

}  // namespace
}  // namespace still::cgroup
