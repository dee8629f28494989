// Linked into a second program in place of src/base/hooks.cc: there a guarantee can be
// switched off, to show that the tests see it missing.

#include "base/hooks.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace still::hooks {

bool freeze_is_off() { return ::getenv("STILL_TEST_NO_FREEZE") != nullptr; }
bool write_back_is_off() { return ::getenv("STILL_TEST_NO_WRITE_BACK") != nullptr; }
bool racy_detection_is_off() { return ::getenv("STILL_TEST_NO_RACY") != nullptr; }

// A shell command at a step: its parent is the process that has come there.
void reached(const char* step) {
  const char* at = ::getenv("STILL_TEST_AT");
  const char* command = ::getenv("STILL_TEST_DO");
  if (at == nullptr || command == nullptr || std::string_view(at) != step) return;
  if (::system(command) != 0) std::fputs("the fault could not be injected\n", stderr);
}

}  // namespace still::hooks
