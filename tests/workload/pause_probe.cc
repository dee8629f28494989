// Measures pauses of the container that it runs in, from the inside: gap_clock.h says how. It can
// hold memory meanwhile, so that there is something to dump.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <random>
#include <span>
#include <system_error>
#include <thread>

#include "base/format.h"
#include "flags.h"
#include "gap_clock.h"
#include "output.h"

namespace {

using workload::GapClock;
using workload::Output;

struct Options {
  std::chrono::microseconds interval{200};
  uint64_t memory_mib = 0;
  bool huge_pages = false;
  bool shared = false;
  unsigned processes = 1;
  unsigned threads = 1;
  std::filesystem::path output;
};

constexpr const char* kSignals = R"(Signals:
  SIGUSR1  print a line `gap_us=N`, the largest gap since the last SIGUSR1 or SIGUSR2
  SIGUSR2  forget the largest gap
  SIGTERM  print a last line and end

Its first line, `ready memory_mib=N`, comes when the memory is there.)";

// Every page is touched, and no two are alike: nothing on the way can make them smaller.
std::span<uint64_t> hold_memory(const Options& options) {
  const uint64_t size_bytes = options.memory_mib << 20;
  if (size_bytes == 0) return {};
  const int kind = options.shared ? MAP_SHARED : MAP_PRIVATE;
  void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  madvise(memory, size_bytes, options.huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  std::mt19937_64 random(1);
  const std::span words(static_cast<uint64_t*>(memory), size_bytes / sizeof(uint64_t));
  for (uint64_t& word : words) word = random();
  return words;
}

void touch(std::span<uint64_t> memory) {
  constexpr size_t kPageWords = 4096 / sizeof(uint64_t);
  for (size_t i = 0; i < memory.size(); i += kPageWords) memory[i] += 1;
}

// Processes that sleep, with as many threads; they end with this one. They have touched what is
// shared.
void make_company(unsigned processes, unsigned threads, std::span<uint64_t> shared) {
  for (unsigned i = 1; i < processes; ++i) {
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    touch(shared);
    for (unsigned j = 1; j < threads; ++j) std::thread([] { pause(); }).detach();
    while (true) pause();
  }
}

int probe(const Options& options) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  const Output output(options.output);
  const auto shared = options.shared ? hold_memory(options) : std::span<uint64_t>();
  make_company(options.processes, options.threads, shared);
  if (!options.shared) hold_memory(options);
  GapClock clock(options.interval);
  const std::jthread thread([&clock](const std::stop_token& stop) { clock.run(stop); });
  output.line(still::formatted("ready memory_mib={}", options.memory_mib));
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGUSR2)
      output.line(still::formatted("gap_us={}", clock.largest() / std::chrono::microseconds(1)));
    if (signal == SIGTERM || signal == SIGINT) return 0;
    clock.reset();
  }
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  workload::Flags flags(
      "[flags]", "Reads a clock again and again, and tells the largest gap that it saw.", kSignals);
  flags.number("interval", options.interval, "Microseconds between readings");
  flags.number("memory", options.memory_mib, "MiB of memory to fill and hold");
  flags.on_off("huge-pages", options.huge_pages, "Ask for huge pages; without it, for small ones");
  flags.on_off("shared", options.shared, "All processes have the memory, and have touched it");
  flags.number("processes", options.processes, "How many, one of them the one that measures", 1);
  flags.number("threads", options.threads, "How many each of the others has", 1);
  flags.text("output", options.output, "File to append to, instead of standard output");
  flags.parse(argc, argv);
  return probe(options);
} catch (const std::exception& error) {
  std::fputs(still::formatted("pause_probe: {}\n", error.what()).c_str(), stderr);
  return 1;
}
