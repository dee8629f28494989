// Whether processes or threads have come into being in a container, if only for a moment: who is
// gone again has left no other trace.
#pragma once

#include <sys/types.h>

#include <optional>

#include "os/fd.h"

namespace still::memory {

class Births {
 public:
  // In the pid namespace of this process, and all below it. Throws Error(kSystem).
  explicit Births(pid_t process);
  Births(const Births&) = delete;
  Births& operator=(const Births&) = delete;
  ~Births();

  // False: one has come since the last call, or may have; and always the first time. Asked by
  // having a process live there for a moment, as the kernel gives numbers in sequence; some 0.5 ms,
  // also when all in the container stand still.
  bool none_since();

 private:
  // The number of a process that lived there just now; 0: there could be none.
  pid_t ask();

  pid_t helper_ = 0;
  std::optional<Fd> helper_socket_;  // not once it has failed to answer
  pid_t last_ = 0;
};

}  // namespace still::memory
