// Work that can wait.
#pragma once

namespace still {

// From now on this thread, and every thread that it starts, leaves the processors to others that
// want them (nice 10): for long work beside a container that runs. Without the right to do so the
// thread goes on as it was.
void lower_thread_priority() noexcept;

}  // namespace still
