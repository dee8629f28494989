// What a fork shares with its parent beside memory, and how a copy gets rid of it.
#pragma once

#include <cstdint>

#include "memory/tracee.h"

namespace still::memory {

// For a child of Injection::fork() that stands still, until it ends: it gives up its parent's table
// of descriptors (so whatever the parent closes is closed, and its locks are free), is in a session
// of its own (so signals to the parent's group and terminal are not for it), and its working
// directory is its root. What it still holds is memory with the files that are mapped, a place
// among its parent's children, and one among the processes that are counted. The calls are made at
// the instruction that system_call is the address of; two bytes at `scratch` are written over.
// Throws Error(kConflict) when a call fails or the child was killed, Error(kTimeout),
// Error(kSystem).
void make_inert(Tracee& child, uint64_t system_call, uint64_t scratch, Deadline deadline);

}  // namespace still::memory
