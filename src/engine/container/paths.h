// What a container has on disk. Here and in store/layout.h are the names of all files and
// directories.
#pragma once

#include <filesystem>
#include <utility>

namespace still::engine {

// Below store::Layout::container(id).
struct ContainerPaths {
  explicit ContainerPaths(std::filesystem::path directory) : base(std::move(directory)) {}
  std::filesystem::path base;
  std::filesystem::path bundle() const { return base / "bundle"; }  // config.json
  std::filesystem::path upper() const { return base / "upper"; }    // writable layer
  std::filesystem::path work() const { return base / "work"; }      // overlayfs' own
  std::filesystem::path merged() const { return base / "merged"; }  // mount point
  std::filesystem::path shm() const { return base / "shm"; }        // mount point
  std::filesystem::path etc() const { return base / "etc"; }        // hosts, hostname, ...
  std::filesystem::path containerenv() const { return base / "containerenv"; }
  std::filesystem::path log() const { return base / "ctr.log"; }
  std::filesystem::path checkpoint() const { return base / "checkpoint"; }  // CRIU images
  // A mount that keeps the network namespace of a container without a network of the host's.
  std::filesystem::path network_namespace() const { return base / "netns"; }
  // What CRIU is told beyond the runtime's flags: by a file that its environment names, and by one
  // that the bundle's spec names, which overrides what the runtime asks for.
  std::filesystem::path criu_configuration() const { return base / "criu-options.conf"; }
  std::filesystem::path criu_overrides() const { return base / "criu.conf"; }
  // The archive of a live checkpoint that was not exported.
  std::filesystem::path live_checkpoint() const { return base / "checkpoint.tar"; }
  std::filesystem::path shm_content() const { return base / "devshm-checkpoint.tar"; }
  // Work directories of CRIU: logs and statistics of the last checkpoint and restore.
  std::filesystem::path dump_work() const { return base / "dump"; }
  std::filesystem::path restore_work() const { return base / "restore"; }
  // The seccomp filter of the processes of the last restore, if they have one.
  std::filesystem::path seccomp_filter() const { return base / "seccomp.bpf"; }
};

}  // namespace still::engine
