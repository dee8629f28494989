// A program whose checkpoint tells by itself whether it shows one instant. README.md explains it.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/format.h"
#include "flags.h"
#include "gap_clock.h"
#include "output.h"
#include "places.h"
#include "processes.h"

namespace workload {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kExitCodes = R"(Exit codes:
  0  ended as asked, everything consistent
  2  wrong usage
  3  inconsistent: a place does not hold what the memory says; the last line has the values
  4  something else failed, as a full disk

Signals: SIGUSR1 prints a report and starts a new largest gap; SIGTERM and SIGINT end it.)";

enum class Pattern { kInPlace, kAppend, kReplace };

constexpr size_t kMaxLanes = 64;  // of a process

struct Options {
  std::array<std::filesystem::path, 3> directories{"/counter", "/data", "/dev/shm"};
  std::vector<Pattern> patterns{Pattern::kInPlace, Pattern::kAppend, Pattern::kReplace};
  size_t threads = 3;
  std::chrono::seconds duration{0};
  milliseconds report_interval{1000};
  std::chrono::microseconds clock_interval{200};
  std::filesystem::path output;
  bool verify = false;
};

// Memory that both processes see.
struct Shared {
  std::atomic<bool> stop = false;
  std::array<Link, kMaxLanes> links;
  std::array<std::array<std::atomic<uint64_t>, kMaxLanes>, 2> steps;  // for the reports only
};

Shared& make_shared_memory() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return *new (memory) Shared{};
}

using Places = std::vector<std::unique_ptr<Place>>;

// The leader's and the follower's lanes have files of their own.
enum class Role { kLeader, kFollower };

std::string lane_name(Role role, size_t index) {
  return still::formatted("{}{}", role == Role::kLeader ? "leader" : "follower", index);
}

Pattern pattern_of(const Options& options, size_t index) {
  return options.patterns[index % options.patterns.size()];
}

// In the order in which the lane writes them.
Places file_places(const Options& options, Role role, size_t index, Content content) {
  Places places;
  for (const auto& directory : options.directories) {
    const auto path = directory / lane_name(role, index);
    switch (pattern_of(options, index)) {
      case Pattern::kInPlace:
        places.push_back(std::make_unique<InPlaceFile>(path.string() + ".written", content));
        places.push_back(std::make_unique<Pages>(path.string() + ".mapped", content));
        break;
      case Pattern::kAppend:
        places.push_back(std::make_unique<AppendedFile>(path.string() + ".appended", content));
        break;
      case Pattern::kReplace:
        places.push_back(std::make_unique<ReplacedFile>(path.string() + ".replaced", content));
        break;
    }
  }
  return places;
}

Places memory_places(Shared& shared, Role role, size_t index) {
  Places places;
  places.push_back(std::make_unique<Pages>("private memory"));
  if (role == Role::kLeader) {
    places.push_back(std::make_unique<LeaderEnd>(shared.links[index], "leader"));
  } else {
    places.push_back(std::make_unique<FollowerEnd>(shared.links[index], "follower"));
  }
  return places;
}

// One thread's counter and the places that it keeps it in.
class Lane {
 public:
  Lane(const Options& options, Shared& shared, Role role, size_t index)
      : name_(lane_name(role, index)),
        stop_(shared.stop),
        reported_(shared.steps[static_cast<size_t>(role)][index]),
        places_(memory_places(shared, role, index)) {
    for (auto& place : file_places(options, role, index, Content::kNew))
      places_.push_back(std::move(place));
  }

  // Memory first, then each file in turn. Every place is checked before it is written, so after a
  // restore no step is made over content that does not belong to this memory.
  void run() {
    while (!stop_) {
      for (const auto& place : places_) {
        place->verify(step_);
        place->write(step_ + 1);
      }
      ++step_;
      reported_.store(step_ - kFirstStep, std::memory_order_relaxed);
    }
    for (const auto& place : places_) place->verify(step_);
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::atomic<bool>& stop_;
  std::atomic<uint64_t>& reported_;
  Places places_;
  uint64_t step_ = kFirstStep;
};

void run_lane(Lane& lane, const Output& output) try {
  give_way();
  lane.run();
} catch (const Inconsistent& error) {
  end_process(kInconsistent,
              still::formatted("counter: INCONSISTENT: lane {}: {}", lane.name(), error.what()),
              output);
} catch (const std::exception& error) {
  end_process(kFailed, still::formatted("counter: failed: lane {}: {}", lane.name(), error.what()),
              output);
}

// The lanes of one process, each on a thread. The destructor waits for the end of all.
class Lanes {
 public:
  Lanes(const Options& options, Shared& shared, Role role, const Output& output) {
    for (size_t index = 0; index < options.threads; ++index)
      lanes_.push_back(std::make_unique<Lane>(options, shared, role, index));
    for (const auto& lane : lanes_)
      threads_.emplace_back([&lane = *lane, &output] { run_lane(lane, output); });
  }

 private:
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::jthread> threads_;
};

pid_t start_follower(const Options& options, Shared& shared, const Output& output) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) return child;
  try {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kFailed);
    {
      const Lanes lanes(options, shared, Role::kFollower, output);
    }
  } catch (const std::exception& error) {
    end_process(kFailed, still::formatted("counter: failed: {}", error.what()), output);
  }
  _exit(kFine);
}

void report(const Options& options, const Shared& shared, const GapClock& clock,
            const Output& output) {
  uint64_t sum = 0;
  uint64_t slowest = UINT64_MAX;
  for (const auto& process : shared.steps) {
    for (size_t index = 0; index < options.threads; ++index) {
      sum += process[index];
      slowest = std::min(slowest, process[index].load());
    }
  }
  output.line(still::formatted("counter: steps={} slowest={} gap_us={}", sum, slowest,
                               clock.largest() / std::chrono::microseconds(1)));
}

// The leader's main thread: reports, until the end is asked for or a process ends by itself.
void watch(const Options& options, const Shared& shared, GapClock& clock, const sigset_t& signals,
           pid_t follower, const Output& output) {
  const bool reports = options.report_interval.count() > 0;
  const auto end = options.duration.count() > 0 ? steady_clock::now() + options.duration
                                                : steady_clock::time_point::max();
  auto next_report = steady_clock::now() + options.report_interval;
  while (steady_clock::now() < end) {
    auto wake = std::min(end, steady_clock::now() + std::chrono::hours(1));
    if (reports) wake = std::min(wake, next_report);
    const auto signal = wait_for_signal(signals, wake - steady_clock::now());
    if (signal == SIGTERM || signal == SIGINT) return;
    if (signal == SIGCHLD && has_ended(follower)) return;
    if (signal == SIGUSR1) {
      report(options, shared, clock, output);
      clock.reset();
    }
    if (reports && steady_clock::now() >= next_report) {
      report(options, shared, clock, output);
      next_report = steady_clock::now() + options.report_interval;
    }
  }
}

int count(const Options& options) {
  const Output output(options.output);
  const sigset_t signals = block_signals();
  for (const auto& directory : options.directories) std::filesystem::create_directories(directory);
  Shared& shared = make_shared_memory();
  const pid_t follower = start_follower(options, shared, output);

  GapClock clock(options.clock_interval);
  const std::jthread clock_thread([&clock](const std::stop_token& stop) { clock.run(stop); });
  {
    const Lanes lanes(options, shared, Role::kLeader, output);
    watch(options, shared, clock, signals, follower, output);
    shared.stop = true;
  }
  const int code = wait_for(follower);
  report(options, shared, clock, output);
  return code;
}

// The files of one lane alone, as a reader finds them after the processes are gone: each whole, and
// all within the one step that was in flight, in the order of writing.
void verify_files(const Places& places, const std::string& lane, const Output& output) {
  std::optional<uint64_t> first;
  uint64_t previous = 0;
  for (const auto& place : places) {
    const uint64_t newest = place->newest();
    place->verify(newest);
    if (first && (newest > previous || *first - newest > 1))
      throw Inconsistent(
          still::formatted("lane {}: {} is at step {}, what was written before it at {}", lane,
                           place->name(), newest, previous));
    if (!first) first = newest;
    previous = newest;
  }
  output.line(still::formatted("counter: lane {}: files are at step {}", lane, *first));
}

int verify(const Options& options) try {
  const Output output(options.output);
  for (const Role role : {Role::kLeader, Role::kFollower}) {
    for (size_t index = 0; index < options.threads; ++index)
      verify_files(file_places(options, role, index, Content::kExisting), lane_name(role, index),
                   output);
  }
  return kFine;
} catch (const Inconsistent& error) {
  Output(options.output).line(still::formatted("counter: INCONSISTENT: {}", error.what()));
  return kInconsistent;
}

void describe(Flags& flags, Options& options) {
  static const std::map<std::string, Pattern> patterns{{"in-place", Pattern::kInPlace},
                                                       {"append", Pattern::kAppend},
                                                       {"replace", Pattern::kReplace}};
  flags.text("root", options.directories[0], "Directory on the root file system");
  flags.text("volume", options.directories[1], "Directory in a named volume");
  flags.text("shm", options.directories[2], "Directory in shared memory");
  flags.number("threads", options.threads, "Threads of each of the two processes", 1, kMaxLanes);
  flags.list("patterns", {"in-place", "append", "replace"},
             "How the threads write, in turn (in-place: with mappings)",
             [&options](const std::vector<std::string>& names) {
               options.patterns.clear();
               for (const auto& name : names) options.patterns.push_back(patterns.at(name));
             });
  flags.number("duration", options.duration, "Seconds until the end, 0 for none");
  flags.number("report", options.report_interval, "Milliseconds between reports, 0 for none");
  flags.number("clock-interval", options.clock_interval,
               "Microseconds between readings of the clock that sees pauses");
  flags.text("output", options.output, "File to append the reports to, instead of standard output");
  flags.on_off("verify", options.verify,
               "Only check the files that an earlier run with the same options left");
}

int run(int argc, char** argv) try {
  Options options;
  Flags flags("[flags]", "Counts in memory and in files, and checks that they agree.", kExitCodes);
  describe(flags, options);
  flags.parse(argc, argv);
  return options.verify ? verify(options) : count(options);
} catch (const std::exception& error) {
  std::fputs(still::formatted("counter: failed: {}\n", error.what()).c_str(), stderr);
  return kFailed;
}

}  // namespace
}  // namespace workload

int main(int argc, char** argv) { return workload::run(argc, argv); }
