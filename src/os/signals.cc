#include "os/signals.h"

#include <initializer_list>

namespace still {

DeferSignals::DeferSignals() noexcept {
  sigset_t deferred;
  ::sigemptyset(&deferred);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&deferred, signal);
  ::pthread_sigmask(SIG_BLOCK, &deferred, &before_);
}

DeferSignals::~DeferSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace still
