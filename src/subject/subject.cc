#include "subject/subject.h"

#include "base/error.h"
#include "cgroup/container_cgroup.h"

namespace still::subject {

std::string name_of(const Tree& tree) {
  switch (tree.kind) {
    case TreeKind::kRootfs:
      return "rootfs";
    case TreeKind::kVolume:
      return "volume:" + tree.volume;
    case TreeKind::kShm:
      return "devshm";
    case TreeKind::kEtc:
      return "etc";
  }
  return {};
}

std::string archived_cgroup(const Subject& subject) {
  if (!subject.has_cgroup) return "";
  return subject.cgroup_in_archives.empty() ? subject.cgroup : subject.cgroup_in_archives;
}

std::unique_ptr<cgroup::Freezer> freezer_of(const Subject& subject) {
  if (!subject.has_cgroup || subject.init.pid == 0) return nullptr;
  const auto own = cgroup::find_own_cgroup(subject.cgroup, subject.init.pid);
  return own ? cgroup::Freezer::open(*own) : nullptr;
}

cgroup::Room room_of(const Subject& subject) {
  return subject.has_cgroup ? cgroup::room_in_cgroup(subject.cgroup) : cgroup::Room{};
}

std::vector<pid_t> processes_of(const Subject& subject) {
  return processes_of(subject.init.pid, freezer_of(subject).get());
}

Division divided_processes_of(const Subject& subject) {
  return divide(processes_of(subject), subject.init.pid);
}

Division divided_processes_in_cgroup(const Subject& subject) {
  const auto freezer = freezer_of(subject);
  if (!freezer) throw Error(ErrorKind::kConflict, "its cgroup has gone");
  return divide(freezer->processes(), subject.init.pid);
}

}  // namespace still::subject
