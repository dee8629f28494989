// What holds for a process and not for most, and is in no image of CRIU. Plain computation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace still::checkpoint {

// status, personality: the files of /proc/PID (proc(5)). exit_signal: what its parent is told its
// end by (clone(2)). "a shadow stack" (arch_prctl(2), ARCH_SHSTK_ENABLE), "tagged addresses"
// (ARCH_ENABLE_TAGGED_ADDR), "a personality of its own (00400000)" (personality(2)), "another
// signal for its end than SIGCHLD (10)"; empty: nothing of that kind.
std::string rule_of_its_own(std::string_view status, std::string_view personality,
                            int64_t exit_signal);

}  // namespace still::checkpoint
