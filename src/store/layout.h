// Where everything lives on disk. What a container has in its directory: engine/container/paths.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace still::store {

struct Layout {
  std::filesystem::path root;     // durable: /var/lib/still
  std::filesystem::path runroot;  // until the next boot: /run/still

  // From the command line, else STILL_ROOT and STILL_RUNROOT, else the defaults. A root that is not
  // the default one has its runroot in ROOT/run unless told otherwise. Both absolute.
  static Layout resolve(const std::optional<std::string>& root,
                        const std::optional<std::string>& runroot);
  // Tells this store from others of the machine, in names that all share (cgroups): some
  // hexadecimal digits; empty for the one at the default place. It may be another one after a
  // reboot. Throws Error(kSystem); create() came before.
  std::string distinction() const;
  // Makes what is missing, and closes what is Still's, new or found open, to all but root (0700).
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

}  // namespace still::store
