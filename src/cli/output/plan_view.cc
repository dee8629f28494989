#include "cli/output/plan_view.h"

#include <chrono>
#include <vector>

#include "base/format.h"
#include "base/text.h"

namespace still::cli {
namespace {

std::string describe(checkpoint::Freezing freezing, const std::string& cgroup_version) {
  switch (freezing) {
    case checkpoint::Freezing::kFreeze:
      return "frozen by Still through its cgroup (" + cgroup_version + ")";
    case checkpoint::Freezing::kAlreadyFrozen:
      return "paused already, stays so";
    case checkpoint::Freezing::kNone:
      return "cannot be frozen: it has no cgroup of its own; the checkpoint will not be certified";
    case checkpoint::Freezing::kNotNeeded:
      return "ended by CRIU";
  }
  return {};
}

std::string describe_method(const checkpoint::Plan& plan, const cut::TreePlan& tree) {
  if (!plan.options.leave_running) return "read in place";
  switch (tree.found.method) {
    case tree::Method::kCopy:
      return "copied while frozen";
    case tree::Method::kPreCopy:
      return "copied before, the difference while frozen";
    case tree::Method::kClone:
      return "cloned before (shared blocks), the difference while frozen";
    case tree::Method::kSnapshot:
      return "as a snapshot";
  }
  return {};
}

std::string describe(const checkpoint::Estimate& estimate) {
  const std::string from =
      estimate.learned_from == 0
          ? "from what is usual"
          : "from " + std::to_string(estimate.learned_from) + " earlier checkpoints of this store";
  return "about " + human_duration(estimate.pause) + ", " + from;
}

std::string describe_memory_cut(const checkpoint::Plan& plan) {
  return cut::on(
      plan.memory, [](const cut::ByCriu& by) { return "written by CRIU (" + by.because + ")"; },
      [](const cut::ByFork& by) {
        return "cut by forks of the processes (" + memory::to_string(by.skeleton) + ")";
      },
      [](const cut::ByProtection& by) {
        return "copied before the freeze (" + memory::to_string(by.skeleton) + ")";
      });
}

// "written    400MiB of deleted files, ...": what CRIU writes in the window beside memory.
std::string written_text(const checkpoint::Written& written, bool shared_memory_is_copied) {
  std::vector<std::string> parts;
  const auto add = [&](uint64_t bytes, const std::string& what) {
    if (bytes > 0) parts.push_back(human_size(bytes) + " of " + what);
  };
  add(written.deleted_file_bytes, "deleted files that are open");
  add(written.pipe_bytes, "what is in pipes");
  if (!shared_memory_is_copied) add(written.shared_memory_bytes, "shared memory");
  std::string text;
  if (!parts.empty()) text += "written    " + join(parts, ", ") + ", by CRIU while frozen\n";
  if (written.copied_before_bytes > 0) {
    text += "copied     " + human_size(written.copied_before_bytes) +
            " of deleted files that are open, before the freeze\n";
  }
  if (shared_memory_is_copied && written.shared_memory_bytes > 0) {
    text += "copied     " + human_size(written.shared_memory_bytes) +
            " of shared memory, before the freeze\n";
  }
  return text;
}

std::string tree_text(const checkpoint::Plan& plan, const cut::TreePlan& tree) {
  std::string text =
      formatted("tree       {}: {} entries, {}, {}\n", name_of(tree.tree), tree.found.files,
                human_size(tree.found.bytes), describe_method(plan, tree));
  if (!tree.found.devices.empty()) {
    text +=
        formatted("devices    {}: {}, for which a restore from an archive wants --cap-add MKNOD\n",
                  name_of(tree.tree), describe(tree.found.devices));
  }
  return text;
}

// What is known before; empty: nothing speaks against the certificate.
std::string why_not_certified(const checkpoint::Plan& plan) {
  if (plan.freezing == checkpoint::Freezing::kNone) return "it has no cgroup of its own";
  if (!plan.options.leave_running && plan.writes_archive && !plan.sharers.empty()) {
    return "running containers write to the same volumes: " + join(plan.sharers, ", ");
  }
  return {};
}

std::string verdict(const checkpoint::Plan& plan) {
  const std::string reason = why_not_certified(plan);
  return "can be checkpointed" +
         (reason.empty() ? reason : ", but not certified consistent: " + reason);
}

Json written_json(const checkpoint::Written& written) {
  return {{"DeletedFileBytes", written.deleted_file_bytes},
          {"CopiedBeforeBytes", written.copied_before_bytes},
          {"PipeBytes", written.pipe_bytes},
          {"SharedMemoryBytes", written.shared_memory_bytes}};
}

Json trees_json(const checkpoint::Plan& plan) {
  Json trees = Json::array();
  for (const cut::TreePlan& tree : plan.trees) {
    trees.push_back(
        {{"Name", name_of(tree.tree)},
         {"Files", tree.found.files},
         {"Bytes", tree.found.bytes},
         {"Method", plan.options.leave_running ? to_string(tree.found.method) : "in-place"}});
  }
  return trees;
}

}  // namespace

std::string plan_text(const checkpoint::Plan& plan, const checkpoint::Estimate& estimate) {
  std::string text =
      formatted("container  {} ({})\n", plan.container_name, plan.container_id.substr(0, 12));
  text += "processes  " + describe(plan.freezing, plan.cgroup_version) + "\n";
  text += formatted("memory     {} resident, {}\n", human_size(plan.memory_bytes),
                    describe_memory_cut(plan));
  if (plan.options.leave_running) {
    text += written_text(plan.written, cut::copies_shared_memory(plan.memory));
  }
  for (const cut::TreePlan& tree : plan.trees) text += tree_text(plan, tree);
  for (const std::string& session : plan.sessions) {
    text += "session    " + session + " was brought in by exec: frozen too, and left out\n";
  }
  for (const std::string& sharer : plan.sharers) {
    text += "sharer     " + sharer + " writes to the same volume" +
            (plan.options.leave_running ? " and is frozen too\n"
                                        : ": the archive will not be certified\n");
  }
  for (const subject::BindMount& bind : plan.binds) {
    text += formatted("bind       {} at {} is the host's and left out\n",
                      printable(bind.source.native()), printable(bind.place));
  }
  if (plan.writes_archive) text += "archive    " + plan.target.native() + "\n";
  if (plan.options.leave_running) text += "pause      " + describe(estimate) + "\n";
  return text + "verdict    " + verdict(plan) + "\n";
}

Json plan_json(const checkpoint::Plan& plan, const checkpoint::Estimate& estimate) {
  const bool live = plan.options.leave_running;
  Json json;
  json["ContainerID"] = plan.container_id;
  json["ContainerName"] = plan.container_name;
  json["Possible"] = true;
  json["Reason"] = "";
  json["Hint"] = "";
  json["Certifiable"] = why_not_certified(plan).empty();
  json["NotCertifiedBecause"] = why_not_certified(plan);
  json["Processes"] = describe(plan.freezing, plan.cgroup_version);
  json["MemoryBytes"] = plan.memory_bytes;
  json["MemoryCut"] = live ? Json(cut::name_of(plan.memory)) : Json(nullptr);
  json["MemoryCutStockBecause"] = live ? cut::why_by_criu(plan.memory) : "";
  json["Written"] = live ? written_json(plan.written) : Json(nullptr);
  json["Trees"] = trees_json(plan);
  json["LeftOut"] = plan.sessions;
  json["Sharers"] = plan.sharers;
  json["Binds"] = Json::array();
  for (const subject::BindMount& bind : plan.binds) {
    json["Binds"].push_back(
        {{"Source", printable(bind.source.native())}, {"Destination", printable(bind.place)}});
  }
  json["Archive"] = plan.writes_archive ? Json(printable(plan.target.native())) : Json(nullptr);
  json["PauseMicroseconds"] = nullptr;
  if (live) {
    json["PauseMicroseconds"] =
        std::chrono::duration_cast<std::chrono::microseconds>(estimate.pause).count();
  }
  json["PauseLearnedFrom"] = estimate.learned_from;
  return json;
}

Json refusal_json(const std::string& container_id, const std::string& container_name,
                  const Error& refusal) {
  Json json = plan_json({}, {});
  for (auto& value : json) value = nullptr;
  json["ContainerID"] = container_id;
  json["ContainerName"] = container_name;
  json["Possible"] = false;
  json["Reason"] = refusal.message();
  json["Hint"] = refusal.hint();
  return json;
}

}  // namespace still::cli
