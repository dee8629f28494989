// Linked into a second program in place of src/checkpoint/hooks.cc: there a guarantee can be
// switched off, to show that the tests see it missing.

#include "checkpoint/hooks.h"

#include <cstdlib>

namespace still::checkpoint::hooks {

bool freeze_is_off() { return ::getenv("STILL_TEST_NO_FREEZE") != nullptr; }

}  // namespace still::checkpoint::hooks
