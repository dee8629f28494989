// A program that attacks checkpoints whose files are copied while it runs. README.md explains it.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "adversary_lanes.h"
#include "base/format.h"
#include "flags.h"
#include "output.h"
#include "processes.h"

namespace workload {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kExitCodes = R"(Exit codes:
  0  ended as asked, everything consistent
  2  wrong usage
  3  inconsistent: files are not what the memory says; the last line has the values
  4  something else failed, as a full disk

Signals: SIGTERM and SIGINT have everything compared once more, and end it.)";

constexpr size_t kMaxLanes = 64;  // of a process

struct Options {
  // The leader's lanes work in the first, the follower's in the second.
  std::array<std::filesystem::path, 2> directories{"/adversary", "/data"};
  std::vector<std::string> lanes;
  size_t files = 64;
  microseconds pause{4000};
  bool step_clock = false;
  bool only_begin = false;
  std::chrono::seconds duration{0};
  milliseconds report_interval{1000};
  std::filesystem::path output;
};

std::map<std::string, MakeLane> all_lanes() {
  std::map<std::string, MakeLane> lanes;
  for (const auto* some : {&content_lanes(), &name_lanes(), &metadata_lanes()})
    lanes.insert(some->begin(), some->end());
  return lanes;
}

// Memory that both processes see: nothing that a checkpoint is judged by.
struct Shared {
  std::atomic<bool> stop = false;
  std::array<std::array<std::atomic<uint64_t>, kMaxLanes>, 2> steps;
};

Shared& make_shared_memory() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return *new (memory) Shared{};
}

// One lane and the thread that it is stepped by.
class Attack {
 public:
  Attack(std::string name, std::unique_ptr<Lane> lane, microseconds pause, uint64_t seed,
         const std::atomic<bool>& stop, std::atomic<uint64_t>& steps)
      : name_(std::move(name)),
        lane_(std::move(lane)),
        pause_(pause),
        random_(seed),
        stop_(stop),
        steps_(steps) {}

  const std::string& name() const { return name_; }

  // A step looks at what it changes; after a time without steps, as a restored copy finds it, and
  // now and then, all is looked at first.
  void run() {
    lane_->begin();
    auto last = steady_clock::now();
    for (uint64_t step = 0; !stop_; ++step) {
      const auto now = steady_clock::now();
      if (step % 256 == 0 || now - last > pause_ + milliseconds(20)) lane_->verify_all();
      last = now;
      lane_->step();
      steps_.store(step + 1, std::memory_order_relaxed);
      rest();
    }
    lane_->end();
    lane_->verify_all();
  }

 private:
  // What changes too often hides nothing: the next change is seen. So each file is left alone for
  // a while, but the steps are not regular either.
  void rest() {
    const auto most = lane_->is_in_a_hurry() ? std::min(pause_, kHurry) : pause_;
    if (most.count() > 0 && !random_.one_in(4))
      std::this_thread::sleep_for(microseconds(random_.below(static_cast<uint64_t>(most.count()))));
  }

  static constexpr microseconds kHurry{400};

  std::string name_;
  std::unique_ptr<Lane> lane_;
  microseconds pause_;
  Random random_;
  const std::atomic<bool>& stop_;
  std::atomic<uint64_t>& steps_;
};

void run_attack(Attack& attack, const Output& output) try {
  give_way();
  attack.run();
} catch (const Inconsistent& error) {
  end_process(kInconsistent,
              still::formatted("adversary: INCONSISTENT: lane {}: {}", attack.name(), error.what()),
              output);
} catch (const std::exception& error) {
  end_process(kFailed,
              still::formatted("adversary: failed: lane {}: {}", attack.name(), error.what()),
              output);
}

// The attacks of one process, each on a thread. The destructor waits for the end of all.
class Attacks {
 public:
  Attacks(const Options& options, Shared& shared, size_t process, const Output& output) {
    const auto lanes = all_lanes();
    for (const auto& name : options.lanes) add(options, shared, process, name, lanes.at(name));
    // Two lanes that step the clock would not leave it where it was.
    if (options.step_clock && process == 0) add(options, shared, process, "clock", make_clock_lane);
    for (const auto& attack : attacks_)
      threads_.emplace_back([&attack = *attack, &output] { run_attack(attack, output); });
  }

 private:
  void add(const Options& options, Shared& shared, size_t process, const std::string& name,
           const MakeLane& make) {
    const size_t index = attacks_.size();
    const LaneSettings settings{.directory = options.directories[process] / name,
                                .files = options.files,
                                .seed = 1 + index + process * kMaxLanes};
    attacks_.push_back(std::make_unique<Attack>(name + (process == 0 ? " (root)" : " (volume)"),
                                                make(settings), options.pause, settings.seed,
                                                shared.stop, shared.steps[process][index]));
  }

  std::vector<std::unique_ptr<Attack>> attacks_;
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
      const Attacks attacks(options, shared, 1, output);
    }
  } catch (const std::exception& error) {
    end_process(kFailed, still::formatted("adversary: failed: {}", error.what()), output);
  }
  _exit(kFine);
}

// Of all lanes, and of the one that made the fewest.
void report(const Options& options, const Shared& shared, const Output& output) {
  uint64_t sum = 0;
  uint64_t slowest = UINT64_MAX;
  for (const auto& process : shared.steps) {
    for (size_t lane = 0; lane < options.lanes.size(); ++lane) {
      sum += process[lane];
      slowest = std::min(slowest, process[lane].load());
    }
  }
  output.line(still::formatted("adversary: steps={} slowest={}", sum, slowest));
}

// The leader's main thread: reports, until the end is asked for or a process ends by itself.
void watch(const Options& options, const Shared& shared, const sigset_t& signals, pid_t follower,
           const Output& output) {
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
    if (reports && steady_clock::now() >= next_report) {
      report(options, shared, output);
      next_report = steady_clock::now() + options.report_interval;
    }
  }
}

int attack(const Options& options) {
  const Output output(options.output);
  const sigset_t signals = block_signals();
  umask(0);  // modes are remembered as they are asked for
  for (const auto& directory : options.directories) std::filesystem::create_directories(directory);
  Shared& shared = make_shared_memory();
  shared.stop = options.only_begin;
  const pid_t follower = start_follower(options, shared, output);
  {
    const Attacks attacks(options, shared, 0, output);
    if (!options.only_begin) watch(options, shared, signals, follower, output);
    shared.stop = true;
  }
  const int code = wait_for(follower);
  report(options, shared, output);
  return code;
}

void describe(Flags& flags, Options& options) {
  for (const auto& [name, make] : all_lanes()) options.lanes.push_back(name);
  flags.text("root", options.directories[0], "Directory on the root file system");
  flags.text("volume", options.directories[1], "Directory in a named volume");
  flags.list("lanes", options.lanes, "Which attacks",
             [&options](const std::vector<std::string>& names) { options.lanes = names; });
  flags.number("files", options.files, "Files of a lane", 4, 4096);
  flags.number("pause", options.pause, "Most microseconds between two steps of a lane");
  flags.on_off("step-clock", options.step_clock,
               "One more lane, which sets the machine's clock back and forth by 30 ms");
  flags.on_off("only-begin", options.only_begin,
               "Make the first state of all lanes and end, for a lower layer");
  flags.number("duration", options.duration, "Seconds until the end, 0 for none");
  flags.number("report", options.report_interval, "Milliseconds between reports, 0 for none");
  flags.text("output", options.output, "File to append the reports to, instead of standard output");
}

int run(int argc, char** argv) try {
  Options options;
  Flags flags("[flags]",
              "Changes files in the ways that a checkpoint can miss, and finds out if one did.",
              kExitCodes);
  describe(flags, options);
  flags.parse(argc, argv);
  return attack(options);
} catch (const std::exception& error) {
  std::fputs(still::formatted("adversary: failed: {}\n", error.what()).c_str(), stderr);
  return kFailed;
}

}  // namespace
}  // namespace workload

int main(int argc, char** argv) { return workload::run(argc, argv); }
