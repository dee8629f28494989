#include "sources/still/base_image.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/image/images.h"
#include "os/files.h"
#include "os/process.h"

namespace still::sources {
namespace {

// Transports of skopeo for images that are on this machine already.
constexpr std::array<std::string_view, 5> kTransports = {
    "containers-storage:", "docker-daemon:", "oci:", "oci-archive:", "docker-archive:"};

constexpr const char* kDockerSocket = "/var/run/docker.sock";

// It becomes a part of a reference.
bool is_image_id(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::optional<store::ImageRecord> find_image(store::Store& store, const std::string& reference) {
  try {
    return store.find_image(reference);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    return std::nullopt;
  }
}

// Where engines that are here would have it.
std::vector<std::string> other_places(const std::string& id) {
  std::vector<std::string> places;
  if (!is_image_id(id) || !find_program("skopeo")) return places;
  if (find_program("podman")) places.push_back("containers-storage:" + id);
  if (path_exists(kDockerSocket) || std::getenv("DOCKER_HOST") != nullptr) {
    places.push_back("docker-daemon:sha256:" + id);
  }
  return places;
}

std::optional<std::string> fetch_from(const std::string& place, const journal::Host& host) {
  try {
    return engine::Images(host).fetch(place, {});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kRuntime) throw;
    return std::nullopt;  // skopeo says that it is not there
  }
}

}  // namespace

void take_archived_image(engine::ContainerConfig& config, const journal::Host& host) {
  if (find_image(host.store, config.image_id)) return;
  for (const std::string& place : other_places(config.image_id)) {
    const auto id = fetch_from(place, host);
    if (!id) continue;
    config.image_id = *id;
    return;
  }
  throw Error(ErrorKind::kNotFound,
              "the container's image " + printable(config.image) + " (" +
                  printable(config.image_id.substr(0, 12)) +
                  ") is not in this store, nor in that of Podman or Docker here",
              "load it with still image load, name the same image with --image, or its root file "
              "system with --rootfs DIR");
}

void take_image(engine::ContainerConfig& config, const std::string& reference,
                const journal::Host& host) {
  const auto is_of = [&](std::string_view transport) { return reference.starts_with(transport); };
  config.image = reference;
  config.image_id = std::ranges::any_of(kTransports, is_of)
                        ? engine::Images(host).fetch(reference, {})
                        : host.store.find_image(reference).id;
}

}  // namespace still::sources
