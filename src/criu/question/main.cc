// CRIU's action script (criu/question.h).
#include <cstdlib>
#include <string_view>

#include "criu/gate.h"
#include "criu/question.h"

int main() {
  const char* step = std::getenv("CRTOOLS_SCRIPT_ACTION");
  if (step == nullptr || std::string_view(step) != "post-dump") return 0;
  const char* gate = std::getenv(still::criu::kQuestionVariable);
  return gate != nullptr && still::criu::may_pass(gate) ? 0 : 1;
}
