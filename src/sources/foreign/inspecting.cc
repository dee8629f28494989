#include "sources/foreign/inspecting.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "sources/foreign/ask.h"
#include "sources/foreign/inspected.h"

namespace still::sources {

using nlohmann::json;

InspectingSource::InspectingSource(const store::Layout& layout, std::string client,
                                   std::vector<std::string> unknown)
    : layout_(layout), client_(std::move(client)), unknown_(std::move(unknown)) {
  require_program(client_);
}

std::vector<std::string> InspectingSource::arguments(
    const std::vector<std::string>& command) const {
  return command;
}

std::optional<json> InspectingSource::inspect(const std::vector<std::string>& ids) const {
  std::vector<std::string> command = {"container", "inspect"};
  command.insert(command.end(), ids.begin(), ids.end());
  const CommandResult result = ask(client_, arguments(command));
  if (result.status.ok()) return read_answer(client_, result);
  const auto is_said = [&](const std::string& words) { return result.errors.contains(words); };
  if (std::ranges::any_of(unknown_, is_said)) return std::nullopt;
  throw refusal(client_, result);
}

std::optional<std::string> InspectingSource::find(const std::string& reference) try {
  const auto found = inspect({reference});
  if (!found) return std::nullopt;
  return found->at(0).at("Id").get<std::string>();
} catch (const json::exception& error) {
  throw not_understood(client_, error);
}

std::optional<Statement> InspectingSource::ask_for(const std::string& id) const try {
  const auto found = inspect({id});
  if (!found) return std::nullopt;
  return complete(found->at(0));
} catch (const json::exception& error) {
  throw not_understood(client_, error);
}

std::vector<std::string> InspectingSource::sharers_of(const json& inspected) const {
  const auto volumes = read(inspected).volumes;
  if (volumes.empty()) return {};
  auto ids = ask_lines(client_, arguments(list_users_of(volumes)));
  std::erase(ids, inspected.at("Id").get<std::string>());
  if (ids.empty()) return {};
  const auto others = inspect(ids);
  return others ? writers_to(*others, volumes) : std::vector<std::string>{};
}

subject::Group InspectingSource::hold(const std::string& reference, bool with_sharers) try {
  const auto found = inspect({reference});
  if (!found) {
    throw Error(ErrorKind::kNotFound, client_ + " knows no container " + printable(reference));
  }
  const auto sharers = with_sharers ? sharers_of(found->at(0)) : std::vector<std::string>{};
  return hold_group(layout_, found->at(0).at("Id"), sharers,
                    [this](const std::string& one) -> ForeignHeld::Ask {
                      return [this, one] { return ask_for(one); };
                    });
} catch (const json::exception& error) {
  throw not_understood(client_, error);
}

}  // namespace still::sources
