// still.json: what was read is written as it was read.
#include "archive/manifest.h"

#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  const std::string once = archive::to_json(archive::parse_manifest(input));
  require(archive::to_json(archive::parse_manifest(once)) == once, "it is read as it was written");
}
