// Our terminal at a container, through conmon.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>

#include "os/fd.h"
#include "store/layout.h"

namespace still::engine {

// Connects our stdin (if open_stdin), stdout and stderr to the container until it ends or, with a
// terminal, the detach keys (ctrl-p,ctrl-q) are typed. To miss nothing connect in the `prepared`
// callback of Container::start().
class Attachment {
 public:
  static Attachment connect(const store::Layout& layout, const std::string& id, bool terminal,
                            bool open_stdin);
  // forward_signals_to: signals that ask us to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
  // SIGUSR2) go to this process instead, when there is no terminal; 0: they keep their meaning.
  // Returns false if the user detached.
  bool run(pid_t forward_signals_to = 0);

 private:
  Attachment(Fd socket, std::filesystem::path bundle, bool terminal, bool open_stdin)
      : socket_(std::move(socket)),
        bundle_(std::move(bundle)),
        terminal_(terminal),
        open_stdin_(open_stdin) {}
  Fd socket_;
  std::filesystem::path bundle_;
  bool terminal_;
  bool open_stdin_;
};

}  // namespace still::engine
