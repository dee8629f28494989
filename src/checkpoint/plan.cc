#include "checkpoint/plan.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "archive/encryption.h"
#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/text.h"
#include "checkpoint/undumpable.h"
#include "criu/criu.h"
#include "cut/memory_cut.h"
#include "os/files.h"
#include "os/mount.h"
#include "tree/capture.h"

namespace still::checkpoint {
namespace {

void check_flags(const engine::Container& container, const CheckpointOptions& options) {
  if (!options.export_file && (options.ignore_rootfs || options.ignore_volumes)) {
    throw Error(ErrorKind::kUsage, "--ignore-rootfs and --ignore-volumes need --export",
                "add --export FILE");
  }
  if (!options.export_file && container.config().remove_when_done && !options.leave_running) {
    throw Error(ErrorKind::kUsage,
                "container " + container.name() + " is removed when it ends (--rm)",
                "add --export FILE, or the checkpoint would be lost with it");
  }
  if (options.max_pause && !options.leave_running) {
    throw Error(ErrorKind::kUsage, "--max-pause is about live checkpoints",
                "add --leave-running, or leave --max-pause out");
  }
  if (options.require_freeze && !options.leave_running) {
    throw Error(ErrorKind::kUsage, "--require-freeze is about live checkpoints",
                "add --leave-running, or leave --require-freeze out");
  }
}

void check_target(const std::filesystem::path& target) {
  const auto directory = target.has_parent_path() ? target.parent_path() : ".";
  if (!std::filesystem::is_directory(directory)) {
    throw Error(ErrorKind::kNotFound,
                "the directory " + printable(directory.native()) + " does not exist",
                "make it first, or export to another place");
  }
  if (std::filesystem::is_directory(target)) {
    throw Error(ErrorKind::kConflict, printable(target.native()) + " is a directory",
                "name a file in it");
  }
  if (path_exists(target) && !std::filesystem::is_regular_file(target)) {
    throw Error(ErrorKind::kConflict, printable(target.native()) + " is not a regular file",
                "export to another name");
  }
  if (::access(directory.c_str(), W_OK) != 0) {
    throw Error(ErrorKind::kUsage, "cannot write to " + printable(directory.native()),
                "export to another place");
  }
}

Freezing decide_freezing(const engine::Container& container, const cgroup::Freezer* freezer,
                         const CheckpointOptions& options) {
  if (!options.leave_running) return Freezing::kNotNeeded;
  if (freezer != nullptr) {
    return freezer->state().requested ? Freezing::kAlreadyFrozen : Freezing::kFreeze;
  }
  if (options.require_freeze) {
    throw Error(ErrorKind::kUnsupported,
                "container " + container.name() + " has no cgroup of its own to be frozen by",
                "leave --require-freeze out for a checkpoint that is not certified consistent");
  }
  return Freezing::kNone;
}

TreePlan plan_tree(std::string name, std::string member, std::filesystem::path source,
                   bool upper_layer, const Fd& staging) {
  auto found = tree::survey_tree(open_file(source, O_RDONLY | O_DIRECTORY), staging);
  return {std::move(name), std::move(member), std::move(source), upper_layer, std::move(found), {}};
}

bool is_mounted_at_tmp(const engine::Container& container, const std::string& volume) {
  return std::ranges::any_of(container.config().volumes, [&](const engine::VolumeMount& mount) {
    return mount.volume == volume && mount.destination == "/tmp";
  });
}

std::vector<TreePlan> plan_trees(const engine::Container& container, const engine::Layout& layout,
                                 const CheckpointOptions& options) {
  std::vector<TreePlan> trees;
  const Fd staging = open_file(layout.staging(), O_RDONLY | O_DIRECTORY);
  if (!options.ignore_rootfs) {
    trees.push_back(
        plan_tree("rootfs", "rootfs-diff.tar", container.paths().upper(), true, staging));
    trees.back().scratch = {"", "tmp"};
  }
  for (const engine::VolumeMount& volume : container.config().volumes) {
    const std::string member = "volumes/" + volume.volume + ".tar";
    if (options.ignore_volumes || std::ranges::contains(trees, member, &TreePlan::member)) continue;
    trees.push_back(plan_tree("volume:" + volume.volume, member, layout.volume_data(volume.volume),
                              false, staging));
    if (is_mounted_at_tmp(container, volume.volume)) trees.back().scratch = {""};
  }
  if (is_mount_point(container.paths().shm())) {
    trees.push_back(
        plan_tree("devshm", "devshm-checkpoint.tar", container.paths().shm(), false, staging));
  }
  return trees;
}

bool takes_space(const TreePlan& tree) {
  return tree.found.method == tree::kCopy || tree.found.method == tree::kPreCopy;
}

void check_space(const Plan& plan, const engine::Layout& layout) {
  uint64_t needed = stages_in_memory(plan) ? 0 : plan.memory_bytes;
  if (plan.options.leave_running) {  // otherwise the archive is written from the trees themselves
    for (const TreePlan& tree : plan.trees) needed += takes_space(tree) ? tree.found.bytes : 0;
  }
  const uint64_t available = free_space(layout.staging());
  if (needed <= available) return;
  throw Error(ErrorKind::kSystem,
              formatted("the checkpoint needs about {} below {}, and {} are free",
                        human_size(needed), layout.root.native(), human_size(available)),
              "make room, or use another --root");
}

}  // namespace

const std::vector<std::string>& engine_paths() {
  // /dev, /proc and /sys are mounts of their own and the files in /etc are bind mounts of the
  // engine: whatever the writable layer holds there is only what they are mounted on.
  static const std::vector<std::string> kPaths = {"dev",        "proc",
                                                  "sys",        "etc/hostname",
                                                  "etc/hosts",  "etc/resolv.conf",
                                                  "etc/mtab",   "run/.containerenv",
                                                  "run/secrets"};
  return kPaths;
}

bool stages_in_memory(const Plan& plan) {
  // CRIU's images are a little more than the memory in them, and that may grow until the freeze.
  constexpr uint64_t kRest = uint64_t{64} << 20;
  return plan.memory_bytes + plan.memory_bytes / 8 + kRest <= plan.options.memory_staging_bytes;
}

Plan make_plan(const engine::Container& container, const std::vector<engine::Container>& sharers,
               const engine::Layout& layout, const CheckpointOptions& options) {
  check_flags(container, options);
  archive::check_recipients(options.recipients);
  if (!container.running()) {
    throw Error(ErrorKind::kConflict, "container " + container.name() + " is not running",
                "start it first: still start " + container.name());
  }
  criu::criu_version();  // throws where there is no CRIU
  const auto freezer = container.freezer();

  Plan plan;
  plan.container_id = container.id();
  plan.container_name = container.name();
  plan.options = options;
  plan.writes_archive = options.export_file || options.leave_running;
  plan.target = options.export_file ? std::filesystem::absolute(*options.export_file)
                                    : container.paths().live_checkpoint();
  if (plan.writes_archive) check_target(plan.target);
  plan.freezing = decide_freezing(container, freezer.get(), options);
  plan.cgroup_version = freezer ? cgroup::to_string(freezer->version()) : "none";
  plan.memory_bytes = check_processes(container);
  const bool stands_frozen =
      plan.freezing == Freezing::kFreeze || plan.freezing == Freezing::kAlreadyFrozen;
  if (stands_frozen && freezer->version() == cgroup::Version::kV1) {
    refuse_stopped(container);
  }
  plan.trees = plan_trees(container, layout, options);
  cut::decide_memory_cut(plan, container, layout);
  if (options.memory_cut == MemoryWay::kFork && !plan.stock_because.empty()) {
    throw Error(ErrorKind::kUnsupported, "the memory cannot be cut by forks: " + plan.stock_because,
                "leave --memory-cut=fork out");
  }
  for (const engine::Container& sharer : sharers) plan.sharers.push_back(sharer.name());
  check_space(plan, layout);
  return plan;
}

}  // namespace still::checkpoint
