// Names of images: "REGISTRY/PATH:TAG".
#pragma once

#include <string>

namespace still::engine {

// With registry and tag: "redis" is "localhost/redis:latest"; "docker.io/a/b:1" stays.
// Throws Error(kUsage) for what is no name.
std::string full_image_name(const std::string& name);

// The same for names from Docker, where those without a registry are of docker.io.
std::string full_docker_name(const std::string& name);

}  // namespace still::engine
