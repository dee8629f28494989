#include "checkpoint/bind_sources.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/mount.h"
#include "os/walk.h"

namespace still::checkpoint {
namespace {

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// What the container sees at a place.
std::optional<struct stat> status_in(const Fd& root, const std::string& place) {
  const auto [directory, name] = split_path(place.substr(1));
  const auto parent = open_directory_beneath(root, directory);
  const auto entry = parent ? open_entry(*parent, name) : std::nullopt;
  if (!entry) return std::nullopt;
  return stat_fd(*entry);
}

// Whether a link of this directory of /proc leads there.
bool leads_to(pid_t pid, const char* links, const struct stat& file) {
  const auto directory =
      open_if_exists(formatted("/proc/{}/{}", pid, links), O_RDONLY | O_DIRECTORY);
  if (!directory) return false;  // the process has ended
  const auto names = list_names(*directory);
  return std::ranges::any_of(names, [&](const std::string& name) {
    struct stat status{};
    return ::fstatat(directory->get(), name.c_str(), &status, 0) == 0 && is_same(status, file);
  });
}

bool is_open(const subject::Subject& subject, const struct stat& file) {
  // What exec brought in is not dumped.
  const auto dumped = subject::divided_processes_of(subject).tree;
  return std::ranges::any_of(dumped, [&](pid_t pid) {
    return leads_to(pid, "fd", file) || leads_to(pid, "map_files", file);
  });
}

// nullopt: it shows what has the name of its source. Else what it shows instead.
std::optional<struct stat> other_than_source(const subject::BindMount& bind, const Fd& root) {
  const auto shown = status_in(root, bind.place);
  const auto source = open_if_exists(bind.source, O_PATH | O_NOFOLLOW);
  if (!shown || (source && is_same(stat_fd(*source), *shown))) return std::nullopt;
  return shown;
}

}  // namespace

void refuse_changed_sources(const subject::Subject& subject, bool leave_running) {
  if (subject.binds.empty()) return;
  const pid_t init = subject.init.pid;
  const auto mounts = parse_mountinfo(read_file(formatted("/proc/{}/mountinfo", init)));
  const Fd root = open_file(formatted("/proc/{}/root", init), O_PATH | O_DIRECTORY);
  for (const subject::BindMount& bind : subject.binds) {
    // The container may have unmounted it, or mounted something over it.
    const std::filesystem::path target = bind.place;
    if (std::ranges::count(mounts, target, &MountEntry::target) != 1) continue;
    const auto shown = other_than_source(bind, root);
    if (!shown) continue;
    const bool is_held = S_ISREG(shown->st_mode) && is_open(subject, *shown);
    if (leave_running && !is_held) continue;
    throw Error(ErrorKind::kConflict,
                formatted("{}, which container {} has mounted at {}, was {} since it was started, "
                          "and a restore could not bring it back",
                          printable(bind.source.native()), subject.name, printable(bind.place),
                          path_exists(bind.source) ? "replaced" : "removed"),
                is_held ? "have the program close it, or restart the container"
                        : "take a live checkpoint (--leave-running), or restart the container");
  }
}

}  // namespace still::checkpoint
