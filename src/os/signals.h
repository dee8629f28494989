// Signals that must wait.
#pragma once

#include <csignal>
#include <optional>

namespace still {

// As long as it lives, SIGINT, SIGTERM, SIGHUP and SIGQUIT to this process wait; then they do what
// they would have done, unless one was taken. For the thread that makes it and those that it starts
// meanwhile: the others must have ended. SIGKILL cannot wait.
class DeferSignals {
 public:
  DeferSignals() noexcept;
  DeferSignals(const DeferSignals&) = delete;
  DeferSignals& operator=(const DeferSignals&) = delete;
  ~DeferSignals();

  // A signal that has come and waits, if any: its taker answers it. From any of the threads.
  static std::optional<int> take() noexcept;

 private:
  sigset_t before_;
};

// As long as it lives, signals that stop this process (Ctrl-Z, a terminal of others) and those of
// limits on time and file sizes wait; then they do what they would have done. For the thread that
// makes it and those that it starts meanwhile; others must have blocked them. SIGSTOP cannot wait.
class DeferStops {
 public:
  DeferStops() noexcept;
  DeferStops(const DeferStops&) = delete;
  DeferStops& operator=(const DeferStops&) = delete;
  ~DeferStops();

 private:
  sigset_t before_;
};

// For a thread that serves others: no signal to the process is taken by it.
void leave_signals_to_others() noexcept;

}  // namespace still
