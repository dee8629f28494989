#include "sources/foreign/ask.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "oci/runtime.h"

namespace still::sources {
namespace {

// timeout(1) ends a program that takes longer, with a code of its own.
constexpr const char* kPatience = "30";
constexpr int kTimedOut = 124;

}  // namespace

void require_program(const std::string& engine) {
  if (find_program(engine)) return;
  throw Error(ErrorKind::kNotFound, engine + " is not installed here",
              "name another engine (--engine)");
}

CommandResult ask(const std::string& engine, const std::vector<std::string>& arguments) {
  require_program(engine);
  Command command{.arguments = {"timeout", "--foreground", kPatience, engine}};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  CommandResult result = run_command(command);
  if (result.status.code != kTimedOut) return result;
  throw Error(ErrorKind::kRuntime, formatted("{} has not answered for {} s", engine, kPatience),
              "look whether it works, or name another engine (--engine)");
}

Error refusal(const std::string& engine, const CommandResult& result) {
  return {ErrorKind::kRuntime, formatted("{}: {}", engine, oci::runtime_message(result.errors))};
}

Error not_understood(const std::string& engine, const std::exception& error) {
  return {ErrorKind::kRuntime,
          formatted("{}'s answer is not understood: {}", engine, printable(error.what()))};
}

nlohmann::json read_answer(const std::string& engine, const CommandResult& result) {
  auto json = nlohmann::json::parse(result.output, nullptr, false);
  if (!json.is_discarded()) return json;
  throw Error(ErrorKind::kRuntime, engine + "'s answer is not understood");
}

nlohmann::json ask_json(const std::string& engine, const std::vector<std::string>& arguments) {
  const CommandResult result = ask(engine, arguments);
  if (!result.status.ok()) throw refusal(engine, result);
  return read_answer(engine, result);
}

std::vector<std::string> ask_lines(const std::string& engine,
                                   const std::vector<std::string>& arguments) {
  const CommandResult result = ask(engine, arguments);
  if (!result.status.ok()) throw refusal(engine, result);
  auto lines = split(result.output, '\n');
  std::erase(lines, "");
  return lines;
}

}  // namespace still::sources
