#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/hooks.h"
#include "base/text.h"
#include "cut/cancellation.h"
#include "engine/container/volumes.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "os/files.h"
#include "restore/leftovers.h"
#include "restore/restore.h"
#include "restore/run.h"
#include "restore/unpacked.h"

namespace still::restore {
namespace {

std::string new_volume_name(const std::string& name, const RestoreOptions& options) {
  const auto renamed = options.rename_volumes.find(name);
  return renamed == options.rename_volumes.end() ? name : renamed->second;
}

void rename_volumes(engine::ContainerConfig& config, const RestoreOptions& options) {
  for (const auto& [name, renamed] : options.rename_volumes) {
    if (!std::ranges::contains(config.volumes, name, &engine::VolumeMount::volume)) {
      throw Error(ErrorKind::kUsage, "the archive has no volume " + name,
                  "name one of its volumes in --rename-volume");
    }
  }
  for (engine::VolumeMount& volume : config.volumes) {
    volume.volume = new_volume_name(volume.volume, options);
  }
}

void take_rootfs(engine::ContainerConfig& config, const RestoreOptions& options) {
  if (options.rootfs.empty()) return;
  config.rootfs = std::filesystem::absolute(options.rootfs).lexically_normal();
  config.image.clear();
  config.image_id.clear();
}

void check_base(const engine::ContainerConfig& config, store::Store& store) {
  if (!config.rootfs.empty()) {
    if (std::filesystem::is_directory(config.rootfs)) return;
    throw Error(
        ErrorKind::kNotFound,
        "the container's root file system " + printable(config.rootfs) + " does not exist here",
        "name where it is with --rootfs DIR");
  }
  try {
    store.find_image(config.image_id);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    throw Error(ErrorKind::kNotFound,
                "the container's image " + config.image + " (" + config.image_id.substr(0, 12) +
                    ") is not in this store",
                "load it with still image load, or name its root file system with --rootfs DIR");
  }
}

void check_binds(const engine::ContainerConfig& config) {
  for (const engine::BindMount& bind : config.binds) {
    if (path_exists(bind.source)) continue;
    throw Error(ErrorKind::kNotFound,
                "the container's bind mount needs " + printable(bind.source) +
                    ", which does not exist here",
                "make it first");
  }
}

// Before volumes are made: of two conflicts this is the one to hear of first.
void check_name_free(store::Store& store, const std::string& name) {
  if (!store.container_by_name(name)) return;
  throw Error(ErrorKind::kConflict, "a container \"" + name + "\" exists already",
              "restore under another name: --name NAME");
}

// Volumes that a restore has made; removed again unless the restore succeeds.
class NewVolumes {
 public:
  NewVolumes(const journal::Host& host, const journal::Operation& operation)
      : layout_(host.layout), volumes_(host), operation_(operation) {}
  NewVolumes(const NewVolumes&) = delete;
  NewVolumes& operator=(const NewVolumes&) = delete;
  ~NewVolumes() {
    for (const std::string& name : made_) undo([&] { volumes_.remove(name, true); });
  }

  void add(const std::string& name, const std::string& archived_name,
           const UnpackedArchive& archive) try {
    volumes_.create(name, false, {}, operation_.key());
    made_.push_back(name);
    archive.fill_volume(archived_name, layout_.volume_data(name));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kConflict) throw;
    throw error.with_hint("use --rename-volume " + archived_name +
                          "=NEW for a copy of it, or --ignore-volumes to use the existing one");
  }

  void keep() { made_.clear(); }

 private:
  const store::Layout& layout_;
  engine::Volumes volumes_;
  const journal::Operation& operation_;
  std::vector<std::string> made_;
};

void fill_volumes(const UnpackedArchive& archive, const RestoreOptions& options,
                  NewVolumes& volumes) {
  if (options.ignore_volumes) return;
  std::set<std::string> names;
  for (const engine::VolumeMount& volume : archive.container().config.volumes) {
    if (!names.insert(volume.volume).second) continue;
    volumes.add(new_volume_name(volume.volume, options), volume.volume, archive);
  }
}

// A container that a restore has made; removed again unless the restore succeeds.
class NewContainer {
 public:
  explicit NewContainer(engine::Container container) : container_(std::move(container)) {}
  NewContainer(const NewContainer&) = delete;
  NewContainer& operator=(const NewContainer&) = delete;
  ~NewContainer() {
    if (!kept_) undo([&] { container_.remove(true); });
  }

  engine::Container& get() { return container_; }
  void keep() { kept_ = true; }

 private:
  engine::Container container_;
  bool kept_ = false;
};

engine::ContainerConfig decide_config(const UnpackedArchive& archive, store::Store& store,
                                      const RestoreOptions& options) {
  check_name_free(store, options.name.empty() ? archive.container().name : options.name);
  Grants grants = options.grants;
  engine::ContainerConfig config = archive.container().config;
  take_rootfs(config, options);
  grants.granted.rootfs = options.rootfs.empty() ? "" : config.rootfs;
  config = grant(std::move(config), archive.privileges(), archive.container().id, grants, store);
  rename_volumes(config, options);
  check_base(config, store);
  check_binds(config);
  return config;
}

engine::Container create(const UnpackedArchive& archive, const journal::Host& host,
                         const engine::ContainerConfig& config, const RestoreOptions& options,
                         const journal::Operation& operation) try {
  const engine::ArchivedContainer& archived = archive.container();
  const bool own_name = options.name.empty();
  return engine::Container::create(host, config, own_name ? archived.name : options.name,
                                   own_name ? archived.id : "", operation.key());
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kConflict) throw;
  throw error.with_hint("restore under another name: --name NAME");
}

}  // namespace

RestoreResult restore_archive(const std::filesystem::path& file, const journal::Host& host,
                              const RestoreOptions& options, cut::Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  cut::Cancellation cancellation;
  journal::Operation operation(
      host.store,
      {.operation = kOperation,
       .container_name = options.name.empty() ? file.filename().native() : options.name},
      [&](journal::Entry& entry) {
        entry.add(journal::path_step(host.layout.staging("restore", entry.key)));
        entry.add(made_step());
      });
  const UnpackedArchive archive = [&] {
    const cut::StepScope step(observer, cut::Step::kUnpack);
    return UnpackedArchive(file, host.layout.staging("restore", operation.key()),
                           read_options(options.identity, cut::Step::kUnpack, observer));
  }();
  hooks::reached("unpacked");
  cancellation.check(cut::kNothingRestored);
  const engine::ContainerConfig config = decide_config(archive, host.store, options);

  NewVolumes volumes(host, operation);
  fill_volumes(archive, options, volumes);
  hooks::reached("volumes filled");
  NewContainer container(create(archive, host, config, options, operation));
  hooks::reached("container made");
  cancellation.check(cut::kNothingRestored);
  const auto fill = [&] {
    const engine::ContainerPaths& paths = container.get().paths();
    if (!options.ignore_rootfs) archive.fill_rootfs(paths.merged());
    archive.fill_shm(paths.shm());
    archive.copy_log(paths.log());
    cancellation.check(cut::kNothingRestored);
  };
  RestoreResult result = run_restored(container.get(), host.layout, archive.images(),
                                      archive.dumped_cgroup(), options, observer, fill);
  hooks::reached("restored");
  cancellation.check(cut::kNothingRestored);
  has_succeeded(operation);
  container.keep();
  volumes.keep();

  if (archive.manifest()) {
    result.consistent = archive.manifest()->consistent;
    result.inconsistent_because = archive.manifest()->inconsistent_because;
  }
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::restore
