#include "cut/deleted_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "criu/ghost_files.h"
#include "criu/preloading.h"
#include "cut/mapped_files.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/parallel.h"
#include "os/proc_entries.h"
#include "tree/mirror.h"

namespace still::cut {
namespace {

// CRIU writes as much in a few milliseconds.
constexpr uint64_t kBigBytes = uint64_t{4} << 20;
constexpr uint64_t kBlock = 512;  // of st_blocks
// Each is open in this process; the library's list has room for more.
constexpr size_t kMostFiles = 500;

std::optional<decltype(statfs::f_type)> file_system_of(const std::string& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 ? std::optional(status.f_type) : std::nullopt;
}

void for_each_link(pid_t process, const auto& visit) {
  for (const char* kind : {"fd", "map_files"}) {
    for_each_proc_entry(formatted("/proc/{}/{}", process, kind), visit);
  }
}

// Its files are known by other numbers in the list of mappings where they lie on an overlay, so one
// such mapping counts for all.
bool maps_deleted_files(pid_t process) {
  const auto maps = read_file_if_exists(formatted("/proc/{}/maps", process));
  return std::ranges::any_of(
      parse_shared_mappings(maps.value_or("")),
      [](const SharedMapping& mapping) { return mapping.path.ends_with(" (deleted)"); });
}

std::string list_line(dev_t device, ino_t inode) { return formatted("{} {}\n", device, inode); }

}  // namespace

// By the names that the kernel gives it (proc_pid_maps(5)).
bool is_shared_memory(const std::string& path) {
  std::error_code gone;
  const std::string name = std::filesystem::read_symlink(path, gone).native();
  return name.starts_with("/memfd:") || name.starts_with("/dev/zero") || name.starts_with("/SYSV");
}

CopiedBefore::CopiedBefore(const subject::Subject& subject)
    : root_(formatted("/proc/{}/root", subject.init.pid)) {
  for (const subject::Tree& tree : subject.trees) {
    if (tree.kind != subject::TreeKind::kRootfs) continue;
    layer_tells_changes_ = tree::can_tell_changes(open_file(tree.source, O_RDONLY | O_DIRECTORY));
  }
}

bool CopiedBefore::is_one(const std::string& path, const struct stat& status) const {
  if (!S_ISREG(status.st_mode) || status.st_nlink != 0 ||
      static_cast<uint64_t>(status.st_blocks) * kBlock < kBigBytes || is_shared_memory(path)) {
    return false;
  }
  const auto file_system = file_system_of(path);
  if (!file_system) return false;
  if (*file_system != OVERLAYFS_SUPER_MAGIC) return tree::tells_changes(*file_system);
  const uint64_t mount = mount_id_of(path);
  return layer_tells_changes_ && mount != 0 && mount == mount_id_of(root_);
}

DeletedFiles::DeletedFiles(const subject::Subject& subject, StagingPlace place,
                           const std::stop_token& stop)
    : copied_before_(subject), place_(std::move(place)), monitor_(stop) {}

void DeletedFiles::prepare(const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) look_at(process);
  if (clock_.was_set()) {
    for (Copy& copy : copies_) copy.mirror.finish(false, 1, monitor_);
  }
  for (Copy& copy : copies_) copy.mirror.follow(monitor_);
  write_list();
}

void DeletedFiles::look_at(pid_t process) {
  for_each_link(process, [&](const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !copied_before_.is_one(path, status)) return;
    // CRIU's images have the number alone.
    const bool is_known = std::ranges::contains(copies_, status.st_ino, &Copy::inode);
    if (!is_known && copies_.size() < kMostFiles) add(path);
  });
}

void DeletedFiles::add(const std::string& path) {
  auto source = open_if_exists(path, O_RDONLY | O_NONBLOCK | O_NOATIME);
  if (!source) return;
  const struct stat status = stat_fd(*source);
  if (!copied_before_.is_one(path, status)) return;  // the descriptor is another one's now
  make_directories(place_.deleted(), 0700);
  Fd target =
      open_file(place_.deleted() / std::to_string(status.st_ino), O_RDWR | O_CREAT | O_EXCL, 0600);
  copies_.push_back({.device = status.st_dev,
                     .inode = status.st_ino,
                     .mirror = tree::FileMirror(std::move(*source), std::move(target))});
}

void DeletedFiles::write_list() const {
  std::string lines;
  for (const Copy& copy : copies_) lines += list_line(copy.device, copy.inode);
  write_file_atomically(place_.work() / criu::kDeletedFile, lines, 0600);
}

void DeletedFiles::cut(const std::vector<pid_t>& processes) {
  if (copies_.empty()) return;
  const bool trust = !clock_.was_set() && std::ranges::none_of(processes, maps_deleted_files);
  for (Copy& copy : copies_) copy.mirror.finish(trust, processor_count(), monitor_);
}

const DeletedFiles::Copy* DeletedFiles::find(const std::string& line) const {
  const auto copy = std::ranges::find_if(
      copies_, [&](const Copy& one) { return list_line(one.device, one.inode) == line + '\n'; });
  return copy == copies_.end() ? nullptr : &*copy;
}

void DeletedFiles::complete(const std::filesystem::path& images) {
  const auto asked = read_file_if_exists(place_.work() / criu::kDeletedAskedFile);
  if (!asked) return;
  const auto ghosts = criu::ghost_files_of(images);
  std::vector<std::string> lines = split(*asked, '\n');
  for (const std::string& line : std::set<std::string>(lines.begin(), lines.end())) {
    if (line.empty()) continue;
    const Copy* copy = find(line);
    std::vector<const criu::GhostFile*> found;
    for (const criu::GhostFile& ghost : ghosts) {
      if (copy != nullptr && ghost.inode == copy->inode && ghost.is_empty) found.push_back(&ghost);
    }
    if (found.size() != 1) {
      throw Error(ErrorKind::kInternal,
                  "CRIU's image of a deleted file is not found; the checkpoint is discarded");
    }
    criu::fill_ghost_file(found.front()->image, copy->mirror.copy());
  }
}

}  // namespace still::cut
