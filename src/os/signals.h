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

}  // namespace still
