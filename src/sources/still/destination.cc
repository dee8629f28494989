#include "sources/still/destination.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/undo.h"
#include "criu/open_files.h"
#include "engine/container/bundle.h"
#include "engine/container/config_dump.h"
#include "engine/container/container.h"
#include "engine/container/etc_files.h"
#include "engine/container/volumes.h"
#include "os/files.h"
#include "sources/still/base_image.h"

namespace still::sources {
namespace {

using engine::Container;
using engine::ContainerConfig;

// --- what is decided before anything is made
// -------------------------------------------------------

std::string new_volume_name(const std::string& name, const subject::Wishes& wishes) {
  const auto renamed = wishes.rename_volumes.find(name);
  return renamed == wishes.rename_volumes.end() ? name : renamed->second;
}

void rename_volumes(ContainerConfig& config, const subject::Wishes& wishes) {
  for (const auto& [name, renamed] : wishes.rename_volumes) {
    if (!std::ranges::contains(config.volumes, name, &engine::VolumeMount::volume)) {
      throw Error(ErrorKind::kUsage, "the archive has no volume " + name,
                  "name one of its volumes in --rename-volume");
    }
  }
  for (engine::VolumeMount& volume : config.volumes) {
    volume.volume = new_volume_name(volume.volume, wishes);
  }
}

void take_rootfs(ContainerConfig& config, const subject::Wishes& wishes) {
  if (!wishes.image.empty()) config.rootfs.clear();
  if (wishes.rootfs.empty()) return;
  config.rootfs = std::filesystem::absolute(wishes.rootfs).lexically_normal();
  config.image.clear();
  config.image_id.clear();
}

void check_rootfs(const ContainerConfig& config) {
  if (std::filesystem::is_directory(config.rootfs)) return;
  throw Error(
      ErrorKind::kNotFound,
      "the container's root file system " + printable(config.rootfs) + " does not exist here",
      "name where it is with --rootfs DIR");
}

void take_base(ContainerConfig& config, const subject::Wishes& wishes, const journal::Host& host) {
  if (!wishes.image.empty()) return take_image(config, wishes.image, host);
  if (!config.rootfs.empty()) return check_rootfs(config);
  take_archived_image(config, host);
}

void check_binds(const ContainerConfig& config) {
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

ContainerConfig decide_config(const engine::ArchivedContainer& archived,
                              const criu::ImagePrivileges& images,
                              const subject::PrivilegedTrees& trees, const subject::Wishes& wishes,
                              Grants grants, const journal::Host& host) {
  store::Store& store = host.store;
  check_name_free(store, wishes.name.empty() ? archived.name : wishes.name);
  ContainerConfig config = archived.config;
  take_rootfs(config, wishes);
  grants.granted.rootfs = wishes.rootfs.empty() ? "" : config.rootfs;
  config = grant(std::move(config), images, trees, archived.id, grants, store);
  rename_volumes(config, wishes);
  check_binds(config);
  take_base(config, wishes, host);
  return config;
}

// --- containers
// ------------------------------------------------------------------------------------

class RestorableContainer : public subject::Restorable {
 public:
  // is_new: it may be called otherwise than the one in the images.
  RestorableContainer(Container container, bool is_new)
      : container_(std::move(container)), is_new_(is_new), place_(place_of(container_)) {}

  Container& engine_container() { return container_; }
  const Container& engine_container() const { return container_; }

  const subject::Place& place() const override { return place_; }
  std::unique_ptr<oci::OciRuntime> runtime() const override { return container_.runtime(); }
  void mount() override { container_.mount(); }
  void unmount() override { container_.unmount(); }
  void start(const oci::RestoreOptions& options, const std::string& dumped_cgroup) override {
    if (is_new_) renew_etc_files(criu::open_file_names(options.image_directory));
    container_.start_restored(options, dumped_cgroup);
  }

 private:
  void renew_etc_files(const std::set<std::string>& open) const {
    const std::string hostname = engine::hostname_of(container_.config(), container_.id());
    engine::renew_etc_files(container_.paths(), container_.config(), hostname, container_.name(),
                            open);
  }

  static subject::Place place_of(const Container& container) {
    const engine::ContainerPaths& paths = container.paths();
    return {.id = container.id(),
            .name = container.name(),
            .root = paths.merged(),
            .shm = paths.shm(),
            .etc = paths.etc(),
            .log = paths.log(),
            .bundle = paths.bundle(),
            .restore_work = paths.restore_work(),
            .criu_configuration = paths.criu_configuration(),
            .criu_overrides = paths.criu_overrides()};
  }

  Container container_;
  const bool is_new_;
  const subject::Place place_;
};

// As it was archived, but with the configuration that was decided.
class FromArchive : public subject::NewContainer {
 public:
  FromArchive(const journal::Host& host, engine::ArchivedContainer archived,
              const subject::Wishes& wishes, std::string operation)
      : host_(host),
        archived_(std::move(archived)),
        wishes_(wishes),
        operation_(std::move(operation)) {}
  FromArchive(const FromArchive&) = delete;
  FromArchive& operator=(const FromArchive&) = delete;
  ~FromArchive() override {
    if (kept_) return;
    if (container_) undo([&] { container_->engine_container().remove(true); });
    for (const std::string& name : volumes_) {
      undo([&] { engine::Volumes(host_).remove(name, true); });
    }
  }

  std::filesystem::path make_volume(const std::string& archived_name) override try {
    const std::string name = new_volume_name(archived_name, wishes_);
    engine::Volumes(host_).create(name, false, {}, operation_);
    volumes_.push_back(name);
    return host_.layout.volume_data(name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kConflict) throw;
    throw error.with_hint("use --rename-volume " + archived_name +
                          "=NEW for a copy of it, or --ignore-volumes to use the existing one");
  }

  subject::Restorable& make_container() override try {
    const bool own_name = wishes_.name.empty();
    return container_.emplace(
        Container::create(host_, archived_.config, own_name ? archived_.name : wishes_.name,
                          own_name ? archived_.id : "", operation_),
        true);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kConflict) throw;
    throw error.with_hint("restore under another name: --name NAME");
  }

  void keep() override { kept_ = true; }

 private:
  const journal::Host& host_;
  const engine::ArchivedContainer archived_;
  const subject::Wishes wishes_;
  const std::string operation_;
  std::vector<std::string> volumes_;  // made
  std::optional<RestorableContainer> container_;
  bool kept_ = false;
};

class InPlace : public subject::StoredCheckpoint {
 public:
  InPlace(const journal::Host& host, Container container)
      : host_(host),
        container_(std::move(container), false),
        stored_(describe(container_.engine_container(), host.layout)) {}

  const subject::StoredContainer& stored() const override { return stored_; }
  subject::Restorable& container() override { return container_; }

  void check_volumes_free() const override {
    for (const auto& [name, content] : stored_.volumes) {
      for (const store::ContainerRecord& user : engine::Volumes(host_).users(name)) {
        const bool running = user.status == store::ContainerStatus::kRunning ||
                             user.status == store::ContainerStatus::kPaused;
        if (user.id == container_.place().id || !running) continue;
        throw Error(
            ErrorKind::kConflict,
            "volume " + name + " has to be set back, and container " + user.name + " uses it",
            "stop " + user.name + " first");
      }
    }
  }

  void remove_checkpoint() override {
    const engine::ContainerPaths& paths = container_.engine_container().paths();
    remove_tree(paths.checkpoint());
    remove_tree(paths.live_checkpoint());
    remove_tree(paths.shm_content());
  }

 private:
  static subject::StoredContainer describe(const Container& container,
                                           const store::Layout& layout) {
    const engine::ContainerPaths& paths = container.paths();
    subject::StoredContainer stored{
        .is_running = container.running(),
        .shm_content = paths.shm_content(),
        .cgroup = engine::cgroup_path(container.config(), container.id()),
        .writable_layer = paths.upper(),
    };
    // Images that --keep has left from an earlier checkpoint are older than the files.
    if (container.record().checkpointed && path_exists(paths.checkpoint())) {
      stored.images = paths.checkpoint();
    }
    if (path_exists(paths.live_checkpoint())) stored.archive = paths.live_checkpoint();
    for (const engine::VolumeMount& mount : container.config().volumes) {
      stored.volumes.emplace(mount.volume, layout.volume_data(mount.volume));
    }
    return stored;
  }

  const journal::Host& host_;
  RestorableContainer container_;
  const subject::StoredContainer stored_;
};

}  // namespace

std::unique_ptr<subject::NewContainer> StillDestination::decide(
    std::string_view config_dump, const criu::ImagePrivileges& images,
    const subject::PrivilegedTrees& trees, const subject::Wishes& wishes,
    const std::string& operation) {
  engine::ArchivedContainer archived = engine::parse_config_dump(config_dump);
  archived.config = decide_config(archived, images, trees, wishes, grants_, host_);
  if (!archived.left_out.empty()) {
    warn("limits that the container had with Podman and does not get here: " +
         printable(join(archived.left_out, ", ")));
  }
  return std::make_unique<FromArchive>(host_, std::move(archived), wishes, operation);
}

std::unique_ptr<subject::StoredCheckpoint> StillDestination::open(const std::string& reference) {
  return std::make_unique<InPlace>(host_, Container::open(host_, reference));
}

}  // namespace still::sources
