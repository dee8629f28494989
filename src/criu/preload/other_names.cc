// Preloaded into CRIU alone. A file that a process has open or mapped can have lost the name that
// it was opened by, and have others: sem_open(3) makes every POSIX semaphore under a temporary
// name, links it to its own and removes the first. The kernel tells "NAME (deleted)" of such a
// file. CRIU would give it one more name ("link-remap", criu/files-reg.c), which the original's
// processes see, and without which no copy can be restored. Here CRIU is told one of the names that
// the file has, and it is an ordinary file. Nothing is made, so there is nothing to undo.
//
// A file of a lower layer of an overlay that was removed is another case, though CRIU cannot tell:
// the kernel shows the links that it has in its layer, but none of them can be reached through the
// overlay. CRIU takes such a file into its images when a link to it cannot be made ("fall back to
// dump_ghost_remap"), and here none can.

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

constexpr const char* kDeleted = " (deleted)";
constexpr int kMostLevels = 256;

// What a file is known by, in the mount namespace of the container.
struct Identity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t mount = 0;
  bool operator==(const Identity&) const = default;
};

struct Status {
  Identity identity;
  mode_t mode = 0;
  uint64_t links = 0;
};

// The entry of that name; an empty one is the directory itself, or the file that is open.
bool ask(int directory, const char* name, Status& status) {
  struct statx found = {};
  constexpr int kFlags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  constexpr unsigned kWanted = STATX_TYPE | STATX_INO | STATX_NLINK | STATX_MNT_ID;
  if (::statx(directory, name, kFlags, kWanted, &found) != 0) return false;
  if ((found.stx_mask & kWanted) != kWanted) return false;
  status.identity = {.device = uint64_t{found.stx_dev_major} << 32 | found.stx_dev_minor,
                     .inode = found.stx_ino,
                     .mount = found.stx_mnt_id};
  status.mode = found.stx_mode;
  status.links = found.stx_nlink;
  return true;
}

// A path below the container's root, itself "" or with a slash at its begin.
class Path {
 public:
  const char* text() const { return text_; }
  size_t length() const { return length_; }
  bool set(const char* text, size_t length) {
    if (length >= sizeof text_) return false;
    std::memcpy(text_, text, length);
    cut(length);
    return true;
  }
  bool add(const char* name) {
    const size_t size = std::strlen(name);
    if (length_ + 1 + size >= sizeof text_) return false;
    text_[length_] = '/';
    std::memcpy(text_ + length_ + 1, name, size);
    cut(length_ + 1 + size);
    return true;
  }
  void cut(size_t length) {
    length_ = length;
    text_[length] = '\0';
  }
  // The directory that it is in.
  void up() {
    while (length_ > 0 && text_[length_] != '/') --length_;
    cut(length_);
  }

 private:
  char text_[PATH_MAX] = {};
  size_t length_ = 0;
};

// The root of the container; negative: nobody has said which it is.
int container_root() {
  static const int root = [] {
    const char* path = ::getenv("STILL_CRIU_ROOT");
    return path == nullptr ? -1 : ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  }();
  return root;
}

int open_below(int root, const char* path, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
  const char* relative = *path == '\0' ? "." : path;
  return static_cast<int>(::syscall(SYS_openat2, root, relative, &how, sizeof how));
}

bool ask_below(int root, const Path& path, Status& status) {
  const int entry = open_below(root, path.text(), O_PATH | O_NOFOLLOW);
  if (entry < 0) return false;
  const bool known = ask(entry, "", status);
  ::close(entry);
  return known;
}

class Search {
 public:
  Search(int root, const Status& file) : root_(root), file_(file) {}

  // In one directory, or in all that it holds as well, as far as they are of the file's mount.
  // listed: the same directory, where others than the names that are wanted are left out.
  bool look(Path& path, int listed, int levels);
  bool saw_inode() const { return saw_inode_; }

 private:
  bool is_at(const Path& path) const {
    Status status;
    return ask_below(root_, path, status) && status.identity == file_.identity;
  }

  const int root_;
  const Status& file_;
  bool saw_inode_ = false;
};

// Closes listed. On success path is the name.
bool Search::look(Path& path, int listed, int levels) {
  DIR* entries = ::fdopendir(listed);
  if (entries == nullptr) {
    ::close(listed);
    return false;
  }
  const size_t length = path.length();
  bool found = false;
  while (const dirent* entry = found ? nullptr : ::readdir(entries)) {
    Status status;
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (!path.add(entry->d_name)) continue;
    if (!ask(::dirfd(entries), entry->d_name, status)) {
      path.cut(length);
      continue;
    }
    if (!S_ISDIR(status.mode)) {
      saw_inode_ |= status.identity.inode == file_.identity.inode;
      found = (status.mode & S_IFMT) == (file_.mode & S_IFMT) && is_at(path);
    } else if (levels > 1) {
      Status own;
      const bool same_mount =
          ask(::dirfd(entries), "", own) && own.identity.mount == status.identity.mount;
      const int below = same_mount ? ::openat(::dirfd(entries), entry->d_name,
                                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                   : -1;
      found = below >= 0 && look(path, below, levels - 1);
    }
    if (!found) path.cut(length);
  }
  ::closedir(entries);
  return found;
}

bool is_on_overlay(int file) {
  struct statfs status = {};
  return ::fstatfs(file, &status) == 0 &&
         static_cast<unsigned long>(status.f_type) == OVERLAYFS_SUPER_MAGIC;
}

// The highest directory above the path that is of the same mount.
bool climb_to_mount(int root, Path& path, uint64_t mount) {
  bool is_there = false;
  for (Path top = path;; top.up()) {
    Status status;
    const bool known = ask_below(root, top, status);
    if (known && status.identity.mount == mount) {
      path = top;
      is_there = true;
    } else if (known && is_there) {
      return true;
    }
    if (top.length() == 0) return is_there;
  }
}

// Another name of the file, in the place of the one that it has lost. saw_inode: files that could
// be the same were seen where none can be reached by the name.
bool find_other_name(int root, const Status& file, bool on_overlay, Path& path, bool& saw_inode) {
  Search search(root, file);
  // Mostly it is beside the first one.
  Path here = path;
  here.up();
  const int beside = open_below(root, here.text(), O_RDONLY | O_DIRECTORY);
  bool found = beside >= 0 && search.look(here, beside, 1);
  if (!found) {
    here = path;
    here.up();
    // In the root file system only what is in the writable layer can have a second name.
    const char* layer = on_overlay ? ::getenv("STILL_CRIU_LAYER") : nullptr;
    int all = -1;
    if (climb_to_mount(root, here, file.identity.mount)) {
      all = layer != nullptr && here.length() == 0
                ? ::open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                : open_below(root, here.text(), O_RDONLY | O_DIRECTORY);
    }
    found = all >= 0 && search.look(here, all, kMostLevels);
  }
  saw_inode = search.saw_inode();
  if (found) path = here;
  return found;
}

// What was found last: CRIU asks several times about each, and about files without another name.
struct Answer {
  Identity file;
  bool found = false;
  bool saw_inode = false;
  Path path;
};
constexpr size_t kAnswers = 64;
Answer g_answers[kAnswers];
size_t g_next_answer = 0;

// lost: the path that the kernel tells, without its mark.
const Answer* other_name(int descriptor, const char* lost, size_t length) {
  const int root = container_root();
  Status file;
  if (root < 0 || !ask(descriptor, "", file) || file.links == 0 || S_ISDIR(file.mode)) {
    return nullptr;
  }
  for (const Answer& answer : g_answers) {
    if (answer.file == file.identity) return &answer;
  }
  Answer& answer = g_answers[g_next_answer++ % kAnswers];
  answer = {};
  if (!answer.path.set(lost, length)) return nullptr;
  answer.found =
      find_other_name(root, file, is_on_overlay(descriptor), answer.path, answer.saw_inode);
  answer.file = file.identity;
  return &answer;
}

// The descriptor behind "/proc/self/fd/7"; negative: another path.
int own_descriptor(const char* path) {
  constexpr const char* kDescriptors = "/proc/self/fd/";
  const size_t length = std::strlen(kDescriptors);
  if (std::strncmp(path, kDescriptors, length) != 0) return -1;
  char* end = nullptr;
  const long descriptor = std::strtol(path + length, &end, 10);
  return end != path + length && *end == '\0' ? static_cast<int>(descriptor) : -1;
}

const Answer* other_name(int descriptor) {
  char link[32];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const long length = ::syscall(SYS_readlink, link, path, sizeof path);
  const long mark = static_cast<long>(std::strlen(kDeleted));
  if (length <= mark || length == sizeof path || path[0] != '/' ||
      std::memcmp(path + length - mark, kDeleted, static_cast<size_t>(mark)) != 0) {
    return nullptr;
  }
  return other_name(descriptor, path, static_cast<size_t>(length - mark));
}

}  // namespace

EXPORTED ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
  const int descriptor = own_descriptor(path);
  const Answer* other = descriptor < 0 ? nullptr : other_name(descriptor);
  if (other == nullptr || !other->found || other->path.length() > size) {
    return ::syscall(SYS_readlink, path, buffer, size);
  }
  std::memcpy(buffer, other->path.text(), other->path.length());
  return static_cast<ssize_t>(other->path.length());
}

EXPORTED int linkat(int from, const char* old_name, int to, const char* new_name,
                    int flags) noexcept {
  const char* slash = std::strrchr(new_name, '/');
  constexpr const char* kRemap = "link_remap.";
  const bool is_remap = (flags & AT_EMPTY_PATH) != 0 && *old_name == '\0' && slash != nullptr &&
                        std::strncmp(slash + 1, kRemap, std::strlen(kRemap)) == 0;
  if (!is_remap) {
    return static_cast<int>(::syscall(SYS_linkat, from, old_name, to, new_name, flags));
  }
  const Answer* other = is_on_overlay(from) ? other_name(from) : nullptr;
  const bool is_of_lower_layer = other != nullptr && !other->found && !other->saw_inode;
  errno = is_of_lower_layer ? ENOENT : EPERM;
  return -1;
}
