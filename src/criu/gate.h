// Where CRIU waits until we let it go on:
// - just before it touches a container for the first time, until that stands still: it and the
//   runtime get ready while the container runs (src/criu/preload/freeze_gate.cc);
// - before it ends a container (criu/question.h).
#pragma once

#include <filesystem>
#include <optional>

#include "os/clock.h"
#include "os/fd.h"

namespace still::criu {

class CriuGate {
 public:
  // Makes the socket, which must not be there; its directory is. Throws Error(kSystem).
  explicit CriuGate(const std::filesystem::path& socket);
  CriuGate(const CriuGate&) = delete;
  CriuGate& operator=(const CriuGate&) = delete;
  // A CRIU that waits gives up, as does one that comes later, and one that has gone on lets the
  // container go (open()); so they do when we are killed.
  ~CriuGate() = default;

  // Waits until CRIU stands there. False at the deadline, or when the runtime (a pidfd) has ended.
  // Throws Error(kSystem).
  bool wait(const Fd& runtime, Deadline deadline);
  // After wait() was true: CRIU goes on. What it holds it lets go at the deadline, done or not
  // (src/criu/preload/deadline.cc).
  void open(Deadline deadline);
  // The same without a deadline, and for all that come later: the socket is gone then.
  void open_for_all();
  // Before open(): it, and all that come later, give up. After it: it lets go now.
  void close();

 private:
  const std::filesystem::path socket_;
  std::optional<Fd> listening_;
  std::optional<Fd> waiting_;  // the connection
};

// The other side: comes to the gate and waits there. True when it may go on, or was open for all
// before; false also when whoever keeps the gate is stopped (SIGSTOP): the container would stand
// still for as long.
bool may_pass(const std::filesystem::path& socket);

}  // namespace still::criu
