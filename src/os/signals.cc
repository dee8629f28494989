#include "os/signals.h"

#include <ctime>
#include <initializer_list>

namespace still {
namespace {

sigset_t deferred_signals() noexcept {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action{};
    ::sigaction(signal, nullptr, &action);
    // The kernel keeps a signal that waits even if it is ignored, as SIGHUP is under nohup(1).
    if (action.sa_handler != SIG_IGN) ::sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace

DeferSignals::DeferSignals() noexcept {
  const sigset_t deferred = deferred_signals();
  ::pthread_sigmask(SIG_BLOCK, &deferred, &before_);
}

DeferSignals::~DeferSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

DeferStops::DeferStops() noexcept {
  sigset_t stops;
  ::sigemptyset(&stops);
  for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ}) {
    ::sigaddset(&stops, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &stops, &before_);
}

DeferStops::~DeferStops() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void leave_signals_to_others() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

std::optional<int> DeferSignals::take() noexcept {
  const sigset_t deferred = deferred_signals();
  const timespec now{};
  const int signal = ::sigtimedwait(&deferred, nullptr, &now);
  return signal > 0 ? std::optional(signal) : std::nullopt;
}

}  // namespace still
