// Our OCI runtime during its checkpoint: its process, made before it is needed, its end, and what
// it says.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "criu/gate.h"
#include "os/process.h"

namespace still::cut {

// The runtime's process, in a process group of its own, waiting to be started.
class HeldRuntime {
 public:
  // name: for messages. Errors as HeldChild::prepare, and Error(kUnsupported) where a limit of ours
  // that we may not lift could end it in its work.
  HeldRuntime(std::string name, Command command);

  const HeldChild& process() const { return child_; }

 private:
  friend class RuntimeWatch;
  Fd errors_;  // where its standard error goes
  std::string name_;
  HeldChild child_;
};

class RuntimeWatch {
 public:
  // Starts it. hang_timeout: as oci::RuntimeGroup.
  RuntimeWatch(HeldRuntime held, pid_t container_init, std::chrono::nanoseconds hang_timeout);
  RuntimeWatch(const RuntimeWatch&) = delete;
  RuntimeWatch& operator=(const RuntimeWatch&) = delete;
  // Waits for the end of the runtime, as wait() does.
  ~RuntimeWatch();

  // Returns when CRIU waits at the gate. Throws as wait(), and Error(kRuntime) when the runtime has
  // ended well without that.
  void wait_until_ready(criu::CriuGate& gate, const std::function<bool()>& unwanted);

  // Returns when the runtime has ended well, and CRIU with it. Throws Error(kRuntime) with its last
  // words when it failed, Error(kConflict) when somebody killed it, Error(kTimeout) when it hung,
  // or was unwanted, and was killed by us: see RuntimeGroup.
  void wait(const std::function<bool()>& unwanted = [] { return false; });

 private:
  // Whether it was killed.
  bool finish(const std::function<bool()>& unwanted);

  const pid_t container_init_;
  const std::chrono::nanoseconds hang_timeout_;
  Fd errors_;
  const std::string name_;
  Child child_;
  bool finished_ = false;
};

}  // namespace still::cut
