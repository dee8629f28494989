// The OCI runtime spec (config.json of a bundle) as Still writes it; defaults are Podman's.
// Source of names and shape: opencontainers/runtime-spec 1.0.2.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace still::oci {

struct SpecMount {
  std::string destination;
  std::string type;  // "bind", "tmpfs", ...
  std::string source;
  std::vector<std::string> options;
};

struct SpecUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> additional_gids;
};

struct ProcessSettings {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory = "/";
  SpecUser user;
  bool terminal = false;
  std::vector<std::string> capabilities;  // "CAP_CHOWN", ...
  bool no_new_privileges = false;
  std::map<std::string, std::pair<uint64_t, uint64_t>> rlimits;  // "RLIMIT_NOFILE" -> soft, hard
};

// Whether this machine has cgroup v2 and nothing else at /sys/fs/cgroup.
bool has_unified_cgroups();

struct SpecSettings {
  ProcessSettings process;
  std::filesystem::path rootfs;
  bool read_only = false;
  std::string hostname;
  // In addition to /proc, /dev, /dev/pts, /dev/mqueue, /sys; one with such a destination wins.
  std::vector<SpecMount> mounts;
  bool host_network = false;                               // else a network namespace of its own
  std::optional<std::filesystem::path> network_namespace;  // join this one instead of a new one
  std::optional<std::string> cgroup_path;                  // absent: no cgroup of its own
  bool unified_cgroups = has_unified_cgroups();
  std::optional<int64_t> memory_limit_bytes;
  std::optional<int64_t> pids_limit;
  std::optional<double> cpus;
  bool seccomp = true;  // the default profile
  std::map<std::string, std::string> annotations;
};

// Size of the tmpfs at /dev.
inline constexpr uint64_t kDevBytes = uint64_t{65536} << 10;

// Of /proc and /sys, what containers must not see or not write to; read-only or masked by the spec.
struct ProtectedPath {
  std::string path;
  bool is_masked = false;  // else read-only
};
const std::vector<ProtectedPath>& protected_paths();

// The whole config.json. Masked and read-only paths, default mounts, devices and seccomp filter are
// decided here.
nlohmann::json build_spec(const SpecSettings& settings);

// What a bundle's config.json binds into the container: sources by destinations. Throws
// Error(kCorrupt), Error(kSystem).
std::map<std::string, std::filesystem::path> bind_mounts(const std::filesystem::path& bundle);

// Where a container is in other places than its spec says.
struct OtherPlaces {
  std::filesystem::path root;
  std::string cgroup_path;
  std::filesystem::path criu_configuration;  // for kCriuConfigurationAnnotation
  // Directories that bind mounts have their sources in, or are: new ones by old ones.
  std::map<std::filesystem::path, std::filesystem::path> sources;
};
// A config.json for the same container there, without hooks. Throws Error(kCorrupt).
std::string move_spec(const std::string& spec, const OtherPlaces& places);

// The OCI process object alone, for exec.
nlohmann::json build_process(const ProcessSettings& settings);

}  // namespace still::oci
