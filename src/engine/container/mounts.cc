#include "engine/container/mounts.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/container/etc_files.h"
#include "engine/container/rootfs.h"
#include "os/files.h"
#include "os/process.h"

namespace still::engine {
namespace {

using Options = std::vector<std::string>;

const char* access(bool read_only) { return read_only ? "ro" : "rw"; }

oci::SpecMount bind(const std::filesystem::path& source, const std::string& destination,
                    Options options) {
  return {.destination = destination,
          .type = "bind",
          .source = source.native(),
          .options = std::move(options)};
}

oci::SpecMount volume_mount(const store::Layout& layout, const VolumeMount& mount) {
  return bind(layout.volume_data(mount.volume), place_of(mount),
              {"rbind", "rprivate", "nosuid", "nodev", access(mount.read_only)});
}

oci::SpecMount bind_mount(const BindMount& mount) {
  const std::string& source = source_of(mount);
  if (!path_exists(source)) {
    throw Error(ErrorKind::kNotFound,
                "cannot mount " + printable(source) + ": there is no such file or directory");
  }
  // CRIU does not follow it.
  if (std::filesystem::is_symlink(source)) {
    throw Error(ErrorKind::kConflict,
                "cannot mount " + printable(source) +
                    ": it is a link, and was none when the container was made",
                "put what was there back, or make a new container");
  }
  return bind(source, place_of(mount),
              {mount.recursive ? "rbind" : "bind", "rprivate", access(mount.read_only)});
}

// Podman's defaults for --tmpfs; each yields to its opposite.
constexpr std::array<std::pair<const char*, const char*>, 5> kTmpfsDefaults = {
    {{"rw", "ro"},
     {"nosuid", "suid"},
     {"nodev", "dev"},
     {"noexec", "exec"},
     {"tmpcopyup", "notmpcopyup"}}};

oci::SpecMount tmpfs_mount(const TmpfsMount& mount) {
  Options options = mount.options;
  for (const auto& [standard, opposite] : kTmpfsDefaults) {
    if (!std::ranges::contains(options, opposite) && !std::ranges::contains(options, standard)) {
      options.emplace_back(standard);
    }
  }
  // Only Podman's word for the absence of "tmpcopyup"; the runtimes do not know it.
  std::erase(options, "notmpcopyup");
  return {.destination = place_of(mount),
          .type = "tmpfs",
          .source = "tmpfs",
          .options = std::move(options)};
}

// What a container whose root is read-only has, unless it mounts something there.
constexpr std::array kReadOnlyTmpfs = {"/run", "/tmp", "/var/tmp"};

std::optional<uint64_t> size_of(const TmpfsMount& mount) {
  constexpr std::string_view kSize = "size=";
  constexpr uint64_t kPageBytes = 4096;
  std::optional<uint64_t> size;
  for (const std::string& option : mount.options) {
    if (!option.starts_with(kSize)) continue;
    size.reset();
    if (option.ends_with('%')) continue;
    size = (parse_size(option.substr(kSize.size())) + kPageBytes - 1) / kPageBytes * kPageBytes;
  }
  return size;
}

// A statically linked one, as it runs in any root file system.
std::filesystem::path find_init_program() {
  for (const char* name : {"catatonit", "/usr/libexec/podman/catatonit", "tini-static"}) {
    if (const auto program = find_program(name)) return *program;
  }
  throw Error(ErrorKind::kNotFound, "there is no init program for --init",
              "install catatonit or tini");
}

bool mounts_at(const std::vector<oci::SpecMount>& mounts, const std::string& destination) {
  return std::ranges::contains(mounts, destination, &oci::SpecMount::destination);
}

// The user's mounts win over ours.
void add_default(std::vector<oci::SpecMount>& mounts, oci::SpecMount mount) {
  if (!mounts_at(mounts, mount.destination)) mounts.push_back(std::move(mount));
}

void add_own_mounts(std::vector<oci::SpecMount>& mounts, const ContainerConfig& config,
                    const ContainerPaths& paths) {
  add_default(mounts, bind(paths.shm(), "/dev/shm",
                           {"bind", "rprivate", "nosuid", "noexec", "nodev", "rw"}));
  for (const char* name : kEtcFiles) {
    add_default(mounts, bind(paths.etc() / name, std::string("/etc/") + name,
                             {"bind", "rprivate", access(config.read_only)}));
  }
  if (config.from_podman) {
    add_default(mounts, bind(paths.containerenv(), kContainerenvPath, {"bind", "rprivate"}));
  }
  if (config.init) mounts.push_back(bind(find_init_program(), kInitPath, {"bind", "ro"}));
  if (!config.read_only) return;
  for (const char* directory : kReadOnlyTmpfs) {
    add_default(mounts, tmpfs_mount({.destination = directory, .options = {"mode=1777"}}));
  }
}

std::filesystem::path path_of(const Fd& fd) {
  return std::filesystem::read_symlink(formatted("/proc/self/fd/{}", fd.get()));
}

// As much of the destination as there is, and the rest as it is.
std::string find_place(const std::string& destination, const Fd& root) {
  std::filesystem::path rest;
  for (std::filesystem::path part = destination; part != "/"; part = part.parent_path()) {
    if (const auto there = open_in_root(root, part, O_PATH)) {
      return "/" / path_of(*there).lexically_relative(path_of(root)) / rest;
    }
    rest = rest.empty() ? part.filename() : part.filename() / rest;
  }
  return destination;
}

size_t depth(const oci::SpecMount& mount) { return std::ranges::count(mount.destination, '/'); }

}  // namespace

std::string canonical_destination(const std::string& destination) {
  std::string path = std::filesystem::path(destination).lexically_normal();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

bool find_places(ContainerConfig& config, const Fd& root) {
  bool found = false;
  std::set<std::string> places;
  const auto visit = [&](auto& mounts) {
    for (auto& mount : mounts) {
      if (mount.place.empty()) {
        mount.place = canonical_destination(find_place(mount.destination, root));
        found = true;
      }
      if (!places.insert(mount.place).second) {
        throw Error(ErrorKind::kUsage, "two mounts on " + printable(mount.place),
                    "keep one of them");
      }
    }
  };
  visit(config.volumes);
  visit(config.binds);
  visit(config.tmpfs);
  return found;
}

std::vector<oci::SpecMount> container_mounts(const store::Layout& layout,
                                             const ContainerConfig& config,
                                             const ContainerPaths& paths) {
  std::vector<oci::SpecMount> mounts;
  for (const auto& mount : config.volumes) mounts.push_back(volume_mount(layout, mount));
  for (const auto& mount : config.binds) mounts.push_back(bind_mount(mount));
  for (const auto& mount : config.tmpfs) mounts.push_back(tmpfs_mount(mount));
  add_own_mounts(mounts, config, paths);
  std::ranges::stable_sort(mounts, {}, depth);
  return mounts;
}

std::map<std::string, std::optional<uint64_t>> tmpfs_sizes(const ContainerConfig& config) {
  std::map<std::string, std::optional<uint64_t>> sizes = {{"/dev", oci::kDevBytes}};
  if (config.read_only) {
    for (const char* directory : kReadOnlyTmpfs) sizes[directory] = std::nullopt;
  }
  for (const TmpfsMount& mount : config.tmpfs) sizes[place_of(mount)] = size_of(mount);
  return sizes;
}

}  // namespace still::engine
