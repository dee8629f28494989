#include "checkpoint/describe.h"

#include <sys/utsname.h>

#include <algorithm>

#include "base/text.h"
#include "criu/criu.h"
#include "os/process.h"

namespace still::checkpoint {
namespace {

// "2.1.12" of "conmon version 2.1.12".
std::string conmon_version() {
  const std::string output = run_checked({.arguments = {"conmon", "--version"}});
  for (const std::string& word : split(trim(split(output, '\n')[0]), ' ')) {
    if (std::ranges::any_of(word, [](char c) { return c >= '0' && c <= '9'; })) return word;
  }
  return "unknown";
}

}  // namespace

archive::Manifest describe(const subject::Held& container, const Plan& plan) {
  utsname kernel{};
  ::uname(&kernel);
  const auto runtime = container.runtime();
  const subject::Subject& subject = container.subject();
  archive::Manifest manifest;
  manifest.engine = subject.engine;
  manifest.container_id = subject.id;
  manifest.container_name = subject.name;
  manifest.image = subject.image;
  manifest.cgroup = archived_cgroup(subject);
  manifest.runtime = runtime->name();
  manifest.versions = {{"still", STILL_VERSION},
                       {"criu", criu::criu_version()},
                       {"runtime", runtime->version()},
                       {"kernel", kernel.release}};
  if (subject.engine == "still") manifest.versions["conmon"] = conmon_version();
  manifest.architecture = kernel.machine;
  manifest.cgroup_version = plan.cgroup_version;
  manifest.live = plan.options.leave_running;
  return manifest;
}

void describe_result(archive::Manifest& manifest, const CheckpointResult& result) {
  manifest.consistent = result.consistent;
  manifest.inconsistent_because = result.inconsistent_because;
  manifest.left_out = result.left_out;
  if (manifest.live) {
    manifest.memory_cut = cut::name_of(result.memory_choice);
    manifest.memory_cut_because = cut::why_by_criu(result.memory_choice);
  }
  manifest.frozen = result.cut.frozen;
  manifest.dump_start = result.cut.dump_start;
  manifest.dump_end = result.cut.dump_end;
  manifest.cut_end = result.cut.cut_end;
  manifest.thawed = result.cut.thawed;
  manifest.pause = result.cut.pause();
}

}  // namespace still::checkpoint
