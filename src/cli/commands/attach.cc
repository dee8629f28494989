#include "cli/commands/attach.h"

#include <csignal>
#include <cstdlib>
#include <future>
#include <iostream>
#include <optional>
#include <utility>

#include "engine/monitor/attach.h"

namespace still::cli {
namespace {

// Signals are for the thread that passes them on to the container: a thread that is started while
// this lives gets none.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// Waits in a thread of its own: wait() gives the container's lock up at once, so that others can
// work with the container while we pass data, and it knows the exit code even of a container that
// is removed as soon as it has ended (--rm).
std::future<int> exit_code_of(engine::Container container) {
  const SignalsBlocked blocked;
  return std::async(std::launch::async,
                    [container = std::move(container)]() mutable { return container.wait(); });
}

}  // namespace

int run_attached(Context& context, engine::Container container, bool open_stdin) {
  const bool terminal = container.config().terminal;
  std::optional<engine::Attachment> attachment;
  container.start([&] {
    attachment.emplace(
        engine::Attachment::connect(context.layout(), container.id(), terminal, open_stdin));
  });
  const pid_t pid = container.record().pid;
  auto code = exit_code_of(std::move(container));
  if (!attachment->run(terminal ? 0 : pid)) {
    std::cout << std::endl;
    std::quick_exit(0);  // detached: nobody waits for the container any more
  }
  return code.get();
}

}  // namespace still::cli
