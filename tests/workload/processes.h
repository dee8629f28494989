// What programs of two processes share: how they end, wait for signals and for each other.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "base/format.h"
#include "output.h"

namespace workload {

enum ExitCode { kFine = 0, kUsage = 2, kInconsistent = 3, kFailed = 4 };

// Long enough for CRIU to finish its restore: a program that ends before, and this one may find a
// fault in its first microseconds, makes CRIU call the whole restore a failure of its own.
inline constexpr std::chrono::milliseconds kLastWords{500};

// The first fault of a process ends it, but for the time that other threads need to find theirs.
[[noreturn]] inline void end_process(ExitCode code, const std::string& text, const Output& output) {
  try {
    output.line(text);
  } catch (const std::exception& error) {
    std::fputs(still::formatted("{}\n({})\n", text, error.what()).c_str(), stderr);
  }
  std::this_thread::sleep_for(kLastWords);
  _exit(code);
}

// For threads that make steps without a pause: the thread gets the lowest priority, so that tests
// and measurements beside it do not wait for it.
inline void give_way() {
  constexpr int kLowest = 19;
  if (setpriority(PRIO_PROCESS, 0, kLowest) != 0) {
    throw std::system_error(errno, std::generic_category(), "setpriority");
  }
}

// Blocked in all threads and in the child; the leader's main thread waits for them.
inline sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Waits for the earliest of a signal and the next report or end; nothing if no signal came.
inline std::optional<int> wait_for_signal(const sigset_t& signals,
                                          std::chrono::steady_clock::duration at_most) {
  const auto nanoseconds = std::max<int64_t>(0, std::chrono::nanoseconds(at_most).count());
  const timespec timeout{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  const int signal = sigtimedwait(&signals, nullptr, &timeout);
  return signal < 0 ? std::nullopt : std::optional(signal);
}

// The exit code of a child; a death by a signal is a failure.
inline int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}

// SIGCHLD also tells that a child was stopped or continued.
inline bool has_ended(pid_t child) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0;
}

}  // namespace workload
