// Whether a container runs: what its record says, compared with the machine.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "store/layout.h"
#include "store/records.h"

namespace still::engine {

// As recorded: running or paused.
bool is_running(const store::ContainerRecord& record);

// The recorded process is there, and is the same one.
bool init_is_alive(const store::ContainerRecord& record);

struct ExitRecord {
  int code = 0;
  std::chrono::nanoseconds at{};  // wall clock
};

// The exit code when nobody is left who knows it: conmon was killed, or the machine rebooted.
inline constexpr int kUnknownExitCode = 255;

// The conmons of the container, also those that have not written their number yet; not those whose
// run has ended and that only wait for "still container cleanup", which may be this very process.
std::vector<pid_t> find_monitors(const store::Layout& layout, const std::string& id);

// How the recorded run ended. conmon writes that a moment after the end; if there is no conmon any
// more, the code is kUnknownExitCode.
ExitRecord wait_for_exit_record(const store::Layout& layout, const store::ContainerRecord& record);

}  // namespace still::engine
