// What the kernel and its OCI spec show of a container, whoever made it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "oci/spec.h"
#include "os/mount.h"

namespace still::sources {

// The directories of an overlay.
struct Layers {
  std::filesystem::path upper;
  std::vector<std::filesystem::path> lower;  // the top one first
};

// Throws Error(kUnsupported) unless the root file system of the container is an overlay whose upper
// layer is self-contained: without redirects and without files that have only their metadata there.
// mounts: of its init.
void require_plain_overlay(const std::vector<MountEntry>& mounts);
// Its layers, as they were named when it was mounted. Throws Error(kUnsupported) for names that are
// relative to a directory that nobody knows any more, and as above.
Layers layers_of(const std::vector<MountEntry>& mounts);

// Of the cgroup that its init is in, the part that was made for the container: up to the last name
// that has the container's id in it (".../libpod-ID.scope", ".../docker/ID"), where runtimes have
// put the processes into one more below that ("container"). Without such a name: all of it.
std::string own_cgroup(const std::string& init_cgroup, const std::string& id);

// Whether there is no network device but the loopback one. devices: /proc/PID/net/dev
// (proc_pid_net(5)).
bool has_loopback_alone(std::string_view devices);

// What the OCI spec (config.json) says, as far as it matters here.
struct SpecFacts {
  bool has_terminal = false;
  bool has_host_network = false;
  bool has_joined_network = false;  // one that somebody else has made
  bool may_change_network = false;  // CAP_NET_ADMIN
  bool has_user_namespace = false;
  bool has_pid_namespace = false;  // of its own
  std::vector<oci::SpecMount> mounts;
  // An annotation's value; empty: there is none.
  std::string image, name;  // of those by which engines tell them
};
// Throws Error(kCorrupt).
SpecFacts read_spec(std::string_view config_json);

// Whether what is mounted has its content from a directory or file of the host.
bool is_bind(const oci::SpecMount& mount);

}  // namespace still::sources
