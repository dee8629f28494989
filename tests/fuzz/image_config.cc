// The configuration of an image, and what a container gets from it.
#include "engine/image/image_config.h"

#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  engine::ContainerConfig config;
  engine::apply_image_defaults(config, engine::parse_image_config(input), {});
}
