// Engines' own programs, asked.
#pragma once

#include <exception>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/process.h"

namespace still::sources {

// Throws Error(kNotFound) unless the program of an engine is installed.
void require_program(const std::string& engine);

// Runs a program of an engine ("podman"), which answers within half a minute or is ended. Throws
// Error(kNotFound) if it is not installed, Error(kRuntime) if it does not answer.
CommandResult ask(const std::string& engine, const std::vector<std::string>& arguments);
// The same, its answer read as JSON. Throws Error(kRuntime) with what the engine says if it fails,
// or if that is no JSON.
nlohmann::json ask_json(const std::string& engine, const std::vector<std::string>& arguments);
nlohmann::json read_answer(const std::string& engine, const CommandResult& result);
// The same, the lines of its answer that are not empty.
std::vector<std::string> ask_lines(const std::string& engine,
                                   const std::vector<std::string>& arguments);

// What it says on standard error, as one line.
Error refusal(const std::string& engine, const CommandResult& result);
// Its answer is JSON, and has not what it has to have.
Error not_understood(const std::string& engine, const std::exception& error);

}  // namespace still::sources
