// A few system calls in a child process, for what changes the process that does it (its
// namespaces) or must not be done by one with threads.
#pragma once

#include <functional>

namespace still {

// Runs action in a forked child and waits for it. action makes system calls only (no memory is to
// be allocated after a fork) and returns false with errno set when one fails. Returns that errno,
// or 0. Throws Error(kSystem) if there can be no child.
int run_forked(const std::function<bool()>& action);

}  // namespace still
