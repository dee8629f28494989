// Where everything lives on disk. The one place that knows names of files and directories.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace still::engine {

struct Layout {
  std::filesystem::path root;     // durable: /var/lib/still
  std::filesystem::path runroot;  // until the next boot: /run/still

  // From the command line, else STILL_ROOT and STILL_RUNROOT, else the defaults. A root that is not
  // the default one has its runroot in ROOT/run unless told otherwise. Both absolute.
  static Layout resolve(const std::optional<std::string>& root,
                        const std::optional<std::string>& runroot);
  // Makes what is missing (mode 0711 for parents, 0700 for what holds secrets).
  void create() const;

  std::filesystem::path containers() const { return root / "containers"; }
  std::filesystem::path container(const std::string& id) const { return containers() / id; }
  std::filesystem::path volumes() const { return root / "volumes"; }
  std::filesystem::path volume_data(const std::string& name) const {
    return volumes() / name / "_data";
  }
  std::filesystem::path layers() const { return root / "layers"; }
  std::filesystem::path layer(const std::string& diff_id) const { return layers() / diff_id; }
  std::filesystem::path staging() const { return root / "staging"; }  // 0700, captures in progress
  std::filesystem::path staging(const std::string& id, const std::string& key) const {
    return staging() / (id.substr(0, 12) + "-" + key);
  }
  std::filesystem::path run(const std::string& id) const { return runroot / "containers" / id; }
  // Logs of failed restores, whose containers are gone.
  std::filesystem::path failure(const std::string& id) const {
    return root / "failures" / id.substr(0, 12);
  }
  std::filesystem::path locks() const { return runroot / "locks"; }
  std::filesystem::path exits() const { return runroot / "exits"; }  // conmon's exit files
  std::filesystem::path runtime_state(const std::string& runtime_name) const {
    return runroot / "runtime" / runtime_name;
  }
};

// Below Layout::container(id).
struct ContainerPaths {
  explicit ContainerPaths(std::filesystem::path directory) : base(std::move(directory)) {}
  std::filesystem::path base;
  std::filesystem::path bundle() const { return base / "bundle"; }  // config.json
  std::filesystem::path upper() const { return base / "upper"; }    // writable layer
  std::filesystem::path work() const { return base / "work"; }      // overlayfs' own
  std::filesystem::path merged() const { return base / "merged"; }  // mount point
  std::filesystem::path shm() const { return base / "shm"; }        // mount point
  std::filesystem::path etc() const { return base / "etc"; }        // hosts, hostname, ...
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
};

}  // namespace still::engine
