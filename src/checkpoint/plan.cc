#include "checkpoint/plan.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "checkpoint/memory_choice.h"
#include "checkpoint/refusals.h"
#include "criu/preloading.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::checkpoint {
namespace {

Freezing decide_freezing(const cgroup::Freezer* freezer, const CheckpointOptions& options) {
  if (!options.leave_running) return Freezing::kNotNeeded;
  if (freezer == nullptr) return Freezing::kNone;
  return freezer->state().requested ? Freezing::kAlreadyFrozen : Freezing::kFreeze;
}

bool is_wanted(const subject::Tree& tree, const CheckpointOptions& options) {
  switch (tree.kind) {
    case subject::TreeKind::kRootfs:
    case subject::TreeKind::kEtc:
      return !options.ignore_rootfs;
    case subject::TreeKind::kVolume:
      return !options.ignore_volumes;
    case subject::TreeKind::kShm:
      return true;
  }
  return true;
}

std::vector<cut::TreePlan> plan_trees(const subject::Subject& subject, const store::Layout& layout,
                                      const CheckpointOptions& options) {
  std::vector<cut::TreePlan> trees;
  const Fd staging = open_file(layout.staging(), O_RDONLY | O_DIRECTORY);
  for (const subject::Tree& tree : subject.trees) {
    if (!is_wanted(tree, options)) continue;
    const Fd source = open_without_access_times(tree.source);
    try {
      trees.push_back({.tree = tree, .found = tree::survey_tree(source, staging)});
    } catch (const Error& error) {
      throw error.in(name_of(tree));
    }
  }
  return trees;
}

// The second number of /proc/PID/statm: resident pages.
uint64_t resident_bytes(pid_t pid) {
  const auto statm = read_file_if_exists(formatted("/proc/{}/statm", pid));
  const auto fields = split(statm.value_or(""), ' ');
  const auto pages = fields.size() > 1 ? parse_integer(fields[1]) : std::nullopt;
  return static_cast<uint64_t>(pages.value_or(0)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t memory_of(const std::vector<pid_t>& processes) {
  uint64_t bytes = 0;
  for (const pid_t pid : processes) bytes += resident_bytes(pid);
  return bytes;
}

}  // namespace

bool stages_in_memory(const Plan& plan) {
  // CRIU's images are a little more than the memory in them, and that may grow until the freeze.
  constexpr uint64_t kRest = uint64_t{64} << 20;
  return plan.memory_bytes + plan.memory_bytes / 8 + kRest <= plan.options.memory_staging_bytes;
}

bool copies_deleted_files(const Plan& plan) {
  const bool stands_frozen =
      plan.freezing == Freezing::kFreeze || plan.freezing == Freezing::kAlreadyFrozen;
  return plan.options.leave_running && stands_frozen && !criu::criu_preload().empty();
}

Plan make_plan(const subject::Held& container,
               const std::vector<std::unique_ptr<subject::Held>>& sharers,
               const store::Layout& layout, const CheckpointOptions& options) {
  refuse_asked(container, options);
  const subject::Subject& subject = container.subject();
  const auto freezer = subject::freezer_of(subject);

  Plan plan;
  plan.container_id = subject.id;
  plan.container_name = subject.name;
  plan.options = options;
  plan.writes_archive = options.export_file || options.leave_running;
  plan.target = options.export_file ? std::filesystem::absolute(*options.export_file)
                                    : container.stored_archive();
  plan.freezing = decide_freezing(freezer.get(), options);
  plan.cgroup_version = freezer ? cgroup::to_string(freezer->version()) : "none";
  for (const auto& sharer : sharers) plan.sharers.push_back(sharer->subject().name);
  const subject::Division processes = subject::divided_processes_of(subject);
  plan.sessions = subject::describe(processes.sessions);
  plan.binds = subject.binds;
  refuse_planned(container, plan);

  if (plan.writes_archive) plan.place = std::make_shared<const FilePlace>(plan.target);
  plan.memory_bytes = memory_of(processes.tree);
  const cut::CopiedBefore copied_before(subject);
  plan.written =
      written_by_criu(processes.tree, copies_deleted_files(plan) ? &copied_before : nullptr);
  plan.trees = plan_trees(subject, layout, options);
  plan.memory = choose_memory(subject, plan, layout.runroot);
  refuse_complete(plan, layout);
  return plan;
}

}  // namespace still::checkpoint
