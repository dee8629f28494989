#include "criu/network.h"

#include <net/if.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/format.h"
#include "criu/image.h"
#include "criu/image_files.h"
#include "criu/images.pb.h"
#include "os/files.h"

namespace still::criu {
namespace {

// What the runtimes call the namespace that their spec names by its path: CRIU_EXT_NETNS of crun,
// criuNsToKey() of runc.
constexpr const char* kProvided = "extRootNetNS";

constexpr uint32_t kLoopback = 1;         // ND_TYPE__LOOPBACK of CRIU's images/netdev.proto
constexpr uint32_t kLoopbackMtu = 65536;  // the kernel's

std::vector<std::filesystem::path> files_of(const std::filesystem::path& images) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(images)) {
    files.push_back(entry.path());
  }
  return files;
}

bool sets_up_network(const std::filesystem::path& file) {
  for (const ImageFileKind& kind : image_file_kinds()) {
    if (kind.use == ImageUse::kNetwork &&
        !number_in(file.filename().native(), kind.pattern).empty())
      return true;
  }
  return false;
}

uint32_t network_of_criu(const std::filesystem::path& images) {
  return read_single<messages::Inventory>(images / "inventory.img", kInventoryImage)
      .of_criu()
      .net();
}

// The number that a process's namespace has in the images. CRIU asks the core image first.
std::optional<uint32_t> network_in(const std::filesystem::path& file) {
  const std::string name = file.filename();
  if (!number_in(name, "core-%u.img").empty()) {
    const auto core = read_single<messages::Core>(file, kCoreImage);
    if (core.has_namespaces() && core.namespaces().has_net()) return core.namespaces().net();
  } else if (!number_in(name, "ids-%u.img").empty()) {
    const auto ids = read_single<messages::Namespaces>(file, kIdsImage);
    if (ids.has_net()) return ids.net();
  }
  return std::nullopt;
}

// Those of the container; the one that CRIU was in is the host's.
std::set<uint32_t> own_networks(const std::filesystem::path& images) {
  const uint32_t of_host = network_of_criu(images);
  std::set<uint32_t> networks;
  for (const auto& file : files_of(images)) {
    const auto network = network_in(file);
    if (network && *network != of_host) networks.insert(*network);
  }
  return networks;
}

}  // namespace

void use_provided_network(const std::filesystem::path& images) {
  for (const auto& file : files_of(images)) {
    if (sets_up_network(file)) std::filesystem::remove(file);
  }
  messages::NetworkNamespace provided;
  provided.set_key(kProvided);
  for (const uint32_t network : own_networks(images)) {
    write_image(images / formatted("netns-{}.img", network), make_image(kNetworkImage, provided));
  }
}

std::map<std::string, std::string> own_network(const std::filesystem::path& images) {
  messages::NetworkDevice loopback;
  loopback.set_type(kLoopback);
  loopback.set_index(1);
  loopback.set_mtu(kLoopbackMtu);
  loopback.set_flags(IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  loopback.set_name("lo");
  std::map<std::string, std::string> files;
  for (const uint32_t network : own_networks(images)) {
    files[formatted("netns-{}.img", network)] =
        make_image(kNetworkImage, messages::NetworkNamespace());
    files[formatted("netdev-{}.img", network)] = make_image(kNetworkDeviceImage, loopback);
  }
  return files;
}

}  // namespace still::criu
