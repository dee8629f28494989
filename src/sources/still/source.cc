#include "sources/still/source.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/container/bundle.h"
#include "engine/container/config_dump.h"
#include "engine/container/liveness.h"
#include "engine/container/sharers.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::sources {
namespace {

// Mounts of the engine or the runtime: what the writable layer holds there is only what they are
// mounted on.
constexpr std::array kMountedPaths = {"dev",          "proc",      "sys",
                                      "etc/hostname", "etc/hosts", "etc/resolv.conf"};

std::vector<MountEntry> mounts_of(pid_t process) try {
  return parse_mountinfo(read_file(formatted("/proc/{}/mountinfo", process)));
} catch (const Error&) {
  return {};  // it is ending, and nobody will checkpoint it
}

// Those that are mounted: a container that may unmount them may write to what is below.
std::vector<std::string> engine_paths(pid_t init) {
  const auto mounts = mounts_of(init);
  std::vector<std::string> paths;
  for (const char* path : kMountedPaths) {
    const std::filesystem::path target = formatted("/{}", path);
    if (std::ranges::contains(mounts, target, &MountEntry::target)) paths.emplace_back(path);
  }
  return paths;
}

bool is_mounted_at_tmp(const engine::ContainerConfig& config, const std::string& volume) {
  return std::ranges::any_of(config.volumes, [&](const engine::VolumeMount& mount) {
    return mount.volume == volume && place_of(mount) == "/tmp";
  });
}

std::vector<subject::Tree> trees_of(const engine::Container& container,
                                    const store::Layout& layout) {
  std::vector<subject::Tree> trees = {{.kind = subject::TreeKind::kRootfs,
                                       .source = container.paths().upper(),
                                       .scratch = {"", "tmp"}}};
  std::set<std::string> seen;
  for (const engine::VolumeMount& mount : container.config().volumes) {
    if (!seen.insert(mount.volume).second) continue;
    trees.push_back({.kind = subject::TreeKind::kVolume,
                     .volume = mount.volume,
                     .source = layout.volume_data(mount.volume)});
    if (is_mounted_at_tmp(container.config(), mount.volume)) trees.back().scratch = {""};
  }
  trees.push_back({.kind = subject::TreeKind::kEtc, .source = container.paths().etc()});
  if (is_mount_point(container.paths().shm())) {
    trees.push_back({.kind = subject::TreeKind::kShm, .source = container.paths().shm()});
  }
  return trees;
}

class HeldContainer : public subject::Held, private subject::Endable {
 public:
  HeldContainer(engine::Container container, const store::Layout& layout)
      : container_(std::move(container)), subject_(describe(container_, layout)) {}

  const subject::Subject& subject() const override { return subject_; }
  bool is_running() const override { return container_.running(); }
  std::unique_ptr<oci::OciRuntime> runtime() const override { return container_.runtime(); }
  subject::Endable* endable() override { return this; }
  void unlocked(const std::function<void()>& work) override { container_.unlocked(work); }

  std::filesystem::path stored_archive() const override {
    return container_.paths().live_checkpoint();
  }
  void confirm() override {}  // its engine is Still, and it was locked
  void record_checkpoint(const std::filesystem::path& archive,
                         const std::filesystem::path& log) override {
    container_.record_checkpoint(archive, log);
  }

 private:
  std::filesystem::path stored_images() const override { return container_.paths().checkpoint(); }
  std::filesystem::path tree_afterwards(const subject::Tree& tree) const override {
    // Its mount goes with the container; the engine keeps the content.
    const bool is_shm = tree.kind == subject::TreeKind::kShm;
    return is_shm ? container_.paths().shm_content() : tree.source;
  }
  bool has_ended_in(const std::filesystem::path& images) const override {
    return container_.has_ended_in(images);
  }
  void keep_checkpoint(const std::filesystem::path& images,
                       const std::filesystem::path& log) override {
    container_.keep_checkpoint(images, log);
  }
  void remove() override { container_.remove(false); }

  engine::Container container_;
  const subject::Subject subject_;
};

}  // namespace

subject::Subject describe(const engine::Container& container, const store::Layout& layout) {
  const engine::ContainerConfig& config = container.config();
  const engine::ContainerPaths& paths = container.paths();
  subject::Subject subject{
      .engine = "still",
      .id = container.id(),
      .name = container.name(),
      .image = config.rootfs.empty() ? config.image : "rootfs:" + config.rootfs,
      .runtime = config.runtime,
      .cgroup = engine::cgroup_path(config, container.id()),
      .cgroup_in_archives = engine::archived_cgroup(container.id()),
      .has_cgroup = config.cgroups,
      .has_host_network = config.network == "host",
      .has_loopback_alone = config.network == "none",
      .has_terminal = config.terminal,
      .is_removed_when_done = config.remove_when_done,
      .log = paths.log(),
      .dump_work = paths.dump_work(),
      .criu_configuration = paths.criu_configuration(),
      .criu_overrides = paths.criu_overrides(),
  };
  if (!container.running()) return subject;
  subject.init = {container.record().pid, container.record().pid_start_time};
  subject.trees = trees_of(container, layout);
  subject.engine_paths = engine_paths(subject.init.pid);
  for (const engine::BindMount& bind : config.binds) {
    subject.binds.push_back({.source = source_of(bind), .place = place_of(bind)});
  }
  subject.lower_layers = container.lower_layers();
  subject.config_dump = engine::write_config_dump(container);
  subject.spec_dump = engine::write_spec_dump(container);
  subject.spec = read_file(paths.bundle() / "config.json");
  return subject;
}

std::optional<std::string> StillSource::find(const std::string& reference) try {
  return host_.store.find_container(reference).id;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return std::nullopt;
  throw;
}

std::vector<subject::Listed> StillSource::running() {
  std::vector<subject::Listed> list;
  for (const store::ContainerRecord& record : host_.store.containers()) {
    const auto now = engine::current(host_.layout, record);
    if (!engine::is_running(now)) continue;
    const auto config = engine::parse_container_config(now.config_json);
    list.push_back({.engine = "still",
                    .id = now.id,
                    .name = now.name,
                    .image = config.image,
                    .command = join(config.arguments, " "),
                    .status = store::to_string(now.status)});
  }
  return list;
}

subject::Group StillSource::hold(const std::string& reference, bool with_sharers) {
  auto sharing = engine::open_with_sharers(host_, reference, with_sharers);
  subject::Group group;
  group.container = std::make_unique<HeldContainer>(std::move(sharing.container), host_.layout);
  for (engine::Container& sharer : sharing.sharers) {
    group.sharers.push_back(std::make_unique<HeldContainer>(std::move(sharer), host_.layout));
  }
  return group;
}

}  // namespace still::sources
