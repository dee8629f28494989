// Linked into a second program in place of src/checkpoint/hooks.cc: there a guarantee can be
// switched off, to show that the tests see it missing.

#include "checkpoint/hooks.h"

#include <cstdlib>

namespace still::checkpoint::hooks {

bool freeze_is_off() { return ::getenv("STILL_TEST_NO_FREEZE") != nullptr; }
bool write_back_is_off() { return ::getenv("STILL_TEST_NO_WRITE_BACK") != nullptr; }
bool racy_detection_is_off() { return ::getenv("STILL_TEST_NO_RACY") != nullptr; }

}  // namespace still::checkpoint::hooks
