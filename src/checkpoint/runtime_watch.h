// The OCI runtime during its checkpoint: waited for, never killed while CRIU holds tasks.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "os/process.h"

namespace still::checkpoint {

class RuntimeWatch {
 public:
  // Starts the runtime in its own process group, its standard error captured.
  // hang_timeout: how long it may live without any task of the container being traced.
  RuntimeWatch(Command command, pid_t container_init, std::chrono::nanoseconds hang_timeout);
  RuntimeWatch(const RuntimeWatch&) = delete;
  RuntimeWatch& operator=(const RuntimeWatch&) = delete;
  // Waits for the end of the runtime, as wait() does.
  ~RuntimeWatch();

  // Returns when the runtime has ended well. Throws Error(kRuntime) with its last words when it
  // failed, Error(kTimeout) when it hung and was killed. A runtime counts as hung only while no
  // task of the container has a tracer: a CRIU that is killed in the middle of its parasite code
  // can break the container, so it is waited for without limit.
  void wait();

 private:
  ExitStatus finish();
  // Kills the runtime's process group unless a task is traced; whether it did.
  bool end_hung_group();

  const pid_t container_init_;
  const std::chrono::nanoseconds hang_timeout_;
  Fd errors_;  // where the runtime's standard error goes
  const std::string program_;
  Child child_;
  bool hung_ = false;
};

}  // namespace still::checkpoint
