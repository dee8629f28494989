// System calls in which the tasks of CRIU's images were stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace still::criu {

// Where a call was stopped that the kernel would go on with for the time that is left, CRIU's
// images say that it was interrupted: only the kernel has that time. Programs that sleep mostly
// take an early end for the end, or for a failure, and bear a late one: here the images are made to
// say that the call begins anew. That is with the time that was left where the call has it from
// memory where the kernel has put it (the sleep of the C libraries, select(2), ppoll(2)), or where
// it has the time of its end; else with the whole time. The same goes for calls that end as soon as
// their thread is stopped (ends_when_woken()). A task for which a signal waits, and one whose call
// cannot be told, is left as it is. On an error the images are sound, with some calls changed.
// Returns the number of calls. Throws Error(kCorrupt), Error(kSystem).
size_t begin_calls_anew(const std::filesystem::path& images);

// --- plain computation
// ---------------------------------------------------------------------------

struct CallRegisters {
  uint64_t number = 0;  // orig_rax
  uint64_t rdi = 0, rsi = 0, rdx = 0, r10 = 0, r8 = 0, r9 = 0;
};
// The call to be made in place of one that was interrupted; nullopt for one that is not to be, or
// cannot be told. A call that has gone on once is restart_syscall(2), whose arguments are its own.
std::optional<uint64_t> call_to_begin(const CallRegisters& registers);

}  // namespace still::criu
