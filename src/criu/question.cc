#include "criu/question.h"

#include "criu/installation.h"

namespace still::criu {

std::filesystem::path question_program() { return find_installed("still_question"); }

std::map<std::string, std::string> question_options() {
  return {{"action-script", question_program()}};
}

}  // namespace still::criu
