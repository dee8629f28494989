// Linked into a second program in place of src/base/hooks.cc: there a guarantee can be
// switched off, to show that the tests see it missing.

#include "base/hooks.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace still::hooks {

bool freeze_is_off() { return ::getenv("STILL_TEST_NO_FREEZE") != nullptr; }
bool write_back_is_off() { return ::getenv("STILL_TEST_NO_WRITE_BACK") != nullptr; }
bool racy_detection_is_off() { return ::getenv("STILL_TEST_NO_RACY") != nullptr; }
bool last_copy_is_off() { return ::getenv("STILL_TEST_NO_LAST_COPY") != nullptr; }

// A shell command at a step: its parent is the process that has come there. Before it runs the file
// STILL_TEST_MARK goes, by which the test knows.
void reached(Step step) {
  const char* at = ::getenv("STILL_TEST_AT");
  if (at == nullptr || step.name != at) return;
  const char* command = ::getenv("STILL_TEST_DO");
  const char* mark = ::getenv("STILL_TEST_MARK");
  if (command == nullptr || mark == nullptr) {
    std::fputs("STILL_TEST_AT needs STILL_TEST_DO and STILL_TEST_MARK\n", stderr);
    std::abort();
  }
  ::unlink(mark);
  if (::system(command) != 0) std::fputs("the fault could not be injected\n", stderr);
}

}  // namespace still::hooks
