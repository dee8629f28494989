// config.dump, up to what is decided by it before anything is made.
#include "engine/container/config_dump.h"

#include "archive/members.h"
#include "fuzz.h"
#include "sources/still/demands.h"

void still::fuzz::run(std::string_view input) {
  archive::parse_config_identity(input);
  const auto container = engine::parse_config_dump(input);
  const std::string once = engine::to_json(container.config);
  require(engine::to_json(engine::parse_container_config(once)) == once,
          "it is read as it was written");
  sources::demands_of(container.config);
}
