// Whether CRIU may end a container: asked when all images are there and the processes are still
// held, by CRIU's action script (criu(8)), a program of ours (question/). At any other answer than
// yes CRIU lets the container go on as if there had been no dump.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::criu {

// Names the socket of the CriuGate where the question is asked.
inline constexpr const char* kQuestionVariable = "STILL_CRIU_QUESTION";

// The path of that program; empty: not installed.
std::filesystem::path question_program();

// CRIU's options for it.
std::map<std::string, std::string> question_options();

}  // namespace still::criu
