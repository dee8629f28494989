// What sources have in common whose engine's client has Docker's words: "container inspect" and
// "ps".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sources/foreign/held.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::sources {

class InspectingSource : public subject::Source {
 public:
  std::optional<std::string> find(const std::string& reference) override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 protected:
  // client: the engine's program and its name; unknown: what it says of a container that it does
  // not know, one of these. Throws Error(kNotFound) if it is not installed.
  InspectingSource(const store::Layout& layout, std::string client,
                   std::vector<std::string> unknown);

  // The client's arguments for a command.
  virtual std::vector<std::string> arguments(const std::vector<std::string>& command) const;
  // What it says of one container. Throws nlohmann::json::exception, Error(kUnsupported).
  virtual Statement read(const nlohmann::json& inspected) const = 0;
  // The same, and what is to be found in other places.
  virtual Statement complete(const nlohmann::json& inspected) const = 0;

  // What the client says of containers, by their ids; nullopt: it knows one of them no more. Throws
  // Error(kRuntime).
  std::optional<nlohmann::json> inspect(const std::vector<std::string>& ids) const;

 private:
  std::optional<Statement> ask_for(const std::string& id) const;
  // Ids of those that run and write to a volume of the inspected container.
  std::vector<std::string> sharers_of(const nlohmann::json& inspected) const;

  const store::Layout& layout_;
  const std::string client_;
  const std::vector<std::string> unknown_;
};

}  // namespace still::sources
