// Where CRIU waits, just before it touches a container for the first time, until that stands still:
// it and the runtime get ready while the container runs (src/criu/preload/freeze_gate.cc).
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
  // After open(): it lets go now.
  void close();

 private:
  const Fd listening_;
  std::optional<Fd> waiting_;  // the connection
};

}  // namespace still::criu
