#include <algorithm>
#include <format>

#include "base/error.h"
#include "base/text.h"
#include "cgroup/container_cgroup.h"
#include "engine/container/bundle.h"
#include "engine/container/container.h"
#include "engine/container/mounts.h"
#include "engine/container/names.h"
#include "engine/container/security.h"
#include "engine/container/volumes.h"
#include "os/files.h"

namespace still::engine {
namespace {

constexpr int kNameAttempts = 20;
constexpr auto kExitFilesKept = std::chrono::minutes(10);

[[noreturn]] void refuse(ErrorKind kind, const std::string& message, const std::string& hint = {}) {
  throw Error(kind, message, hint);
}

void check_destination(const std::string& destination) {
  if (!destination.starts_with('/') || destination == "/") {
    refuse(ErrorKind::kUsage,
           "\"" + printable(destination) + "\" is no place in a container to mount on",
           "give an absolute path other than /");
  }
}

// Of an archive.
void check_place(const std::string& place) {
  check_destination(place);
  if (place == canonical_destination(place)) return;
  refuse(ErrorKind::kCorrupt, "the place of a mount, " + printable(place) + ", is malformed");
}

void check_destinations(const ContainerConfig& config) {
  std::vector<std::string> all;
  const auto add = [&](const auto& mounts) {
    for (const auto& mount : mounts) {
      all.push_back(mount.destination);
      if (!mount.place.empty()) check_place(mount.place);
    }
  };
  add(config.volumes);
  add(config.binds);
  add(config.tmpfs);
  std::ranges::for_each(all, check_destination);
  std::ranges::sort(all);
  if (const auto twice = std::ranges::adjacent_find(all); twice != all.end()) {
    refuse(ErrorKind::kUsage, "two mounts on " + printable(*twice), "keep one of them");
  }
}

void check_words(const ContainerConfig& config) {
  if (config.network != "none" && config.network != "host") {
    refuse(ErrorKind::kUnsupported,
           "the network mode \"" + printable(config.network) + "\" is not supported",
           "use --network none or --network host");
  }
  if (config.log_driver != "k8s-file" && config.log_driver != "json-file" &&
      config.log_driver != "none") {
    refuse(ErrorKind::kUnsupported,
           "the log driver \"" + printable(config.log_driver) + "\" is not supported",
           "use k8s-file or none");
  }
  if (!config.cgroup_parent.starts_with('/') || config.cgroup_parent.contains("..")) {
    refuse(ErrorKind::kUsage, "the cgroup parent must be an absolute path without \"..\"");
  }
  if (!config.directory.starts_with('/')) {
    refuse(ErrorKind::kUsage,
           "the working directory \"" + printable(config.directory) + "\" is no absolute path");
  }
}

// Whatever can be refused before anything exists.
void check_config(const ContainerConfig& config) {
  if (config.arguments.empty()) {
    refuse(ErrorKind::kUsage, "no command to run: neither given nor in the image",
           "write the command after the image");
  }
  if (config.rootfs.empty() == config.image_id.empty()) {
    refuse(ErrorKind::kUsage, "a container needs an image or a --rootfs directory, not both");
  }
  check_words(config);
  check_destinations(config);
  security_of(config);
  effective_capabilities(config);
}

// From here on the container has what is there now, whatever becomes of links on the way to it.
void resolve_sources(ContainerConfig& config) {
  for (BindMount& mount : config.binds) {
    std::error_code error;  // what is not there is missed when it is to be mounted
    mount.resolved_source = std::filesystem::canonical(mount.source, error);
  }
}

// Returns the names.
std::vector<std::string> name_anonymous_volumes(ContainerConfig& config) {
  std::vector<std::string> names;
  for (VolumeMount& mount : config.volumes) {
    if (mount.volume.empty()) names.push_back(mount.volume = make_id());
  }
  return names;
}

void require_volume(store::Store& store, const std::string& name) {
  if (store.volume(name)) return;
  refuse(ErrorKind::kConflict, "the volume " + name + " was removed meanwhile", "try again");
}

// Volumes that did not exist before; removed again if the container does not come to be.
class NewVolumes {
 public:
  NewVolumes(const journal::Host& host, const std::string& operation)
      : volumes_(host), store_(host.store), operation_(operation) {}
  NewVolumes(const NewVolumes&) = delete;
  NewVolumes& operator=(const NewVolumes&) = delete;
  ~NewVolumes() {
    for (const std::string& name : made_) {
      try {
        volumes_.remove(name, false);
      } catch (const Error&) {  // somebody uses it already, or it cannot be helped
      }
    }
  }

  void ensure(const std::string& name, bool anonymous) {
    if (store_.volume(name)) return volumes_.ensure(name);
    try {
      volumes_.create(name, anonymous, {}, operation_);
      made_.push_back(name);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kConflict) throw;
      volumes_.ensure(name);  // somebody else has just made it
    }
  }
  void keep() { made_.clear(); }

 private:
  Volumes volumes_;
  store::Store& store_;
  const std::string& operation_;
  std::vector<std::string> made_;
};

// An id becomes a directory's name.
void check_id(const std::string& id) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (id.size() == 64 && std::ranges::all_of(id, is_digit)) return;
  refuse(ErrorKind::kUsage, "\"" + printable(id) + "\" is no container id");
}

void add_with_name(store::Store& store, store::ContainerRecord& record, const std::string& name) {
  for (int attempt = 0;; ++attempt) {
    record.name = name.empty() ? make_name() : name;
    // So many containers that all made-up names are taken: a longer one.
    if (name.empty() && attempt >= kNameAttempts) record.name += "_" + record.id.substr(0, 6);
    if (name.empty() && store.container_by_name(record.name)) continue;
    return store.add_container(record);
  }
}

void add_with_volumes(const journal::Host& host, const ContainerConfig& config,
                      const std::vector<std::string>& anonymous, store::ContainerRecord& record,
                      const std::string& name) {
  NewVolumes volumes(host, record.made_by);
  for (const VolumeMount& mount : config.volumes) {
    volumes.ensure(mount.volume, std::ranges::contains(anonymous, mount.volume));
  }
  const Fd volumes_stay = Volumes::lock(host.layout);
  for (const VolumeMount& mount : config.volumes) require_volume(host.store, mount.volume);
  add_with_name(host.store, record, name);
  volumes.keep();
}

// Two stores can have containers of one id: copies of one archive. Throws Error(kConflict).
std::string new_cgroup(const store::Layout& layout, ContainerConfig config, const std::string& id) {
  config.cgroup.clear();
  const std::string distinction = layout.distinction();
  std::string path = cgroup_path(config, id) + (distinction.empty() ? "" : "-" + distinction);
  cgroup::require_unused(path);
  return path;
}

bool exists(store::Store& store, const std::string& id) {
  return std::ranges::contains(store.containers(), id, &store::ContainerRecord::id);
}

// conmon's exit files outlive their containers, because somebody may be about to read the exit code
// of one that has just been removed (--rm). The old ones go here.
void remove_old_exit_files(const journal::Host& host) {
  const auto limit = std::filesystem::file_time_type::clock::now() - kExitFilesKept;
  const auto containers = host.store.containers();
  std::error_code ignored;  // another process may remove them, too
  for (const auto& file : std::filesystem::directory_iterator(host.layout.exits())) {
    if (file.last_write_time(ignored) >= limit) continue;
    const std::string id = file.path().filename();
    if (!std::ranges::contains(containers, id, &store::ContainerRecord::id)) {
      std::filesystem::remove(file.path(), ignored);
    }
  }
}

}  // namespace

Container Container::create(const journal::Host& host, ContainerConfig config,
                            const std::string& name, const std::string& id,
                            const std::string& operation) {
  if (!name.empty()) check_name("container", name);
  if (!id.empty()) check_id(id);
  check_config(config);
  resolve_sources(config);
  std::vector<std::string> anonymous = name_anonymous_volumes(config);
  store::ContainerRecord record;
  record.id = id.empty() ? make_id() : id;
  config.cgroup = new_cgroup(host.layout, config, record.id);
  record.image_id = config.image_id;
  record.config_json = to_json(config);
  record.created_at = Instant::now().wall;
  record.made_by = operation;
  remove_old_exit_files(host);

  store::ContainerLock lock = store::ContainerLock::acquire(host.layout, record.id);
  try {
    add_with_volumes(host, config, anonymous, record, name);
  } catch (...) {
    if (!exists(host.store, record.id)) lock.remove();
    throw;
  }
  Container container(host, std::move(lock), std::move(record));
  container.prepare_new();
  return container;
}

void Container::prepare_new() try {
  runtime();  // there is such a program, and it can do what the configuration wants
  lower_layers();
  make_directory(paths_.base, 0700);
} catch (...) {
  remove(false);
  throw;
}

}  // namespace still::engine
