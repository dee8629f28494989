#include "os/mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

#include "base/error.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/forked.h"

namespace still {
namespace {

// The kernel writes space, tab, newline and backslash as \ooo.
std::string decode_octal(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7' ? text[at] - '0' : -1;
    };
    if (text[i] == '\\' && digit(i + 1) >= 0 && digit(i + 2) >= 0 && digit(i + 3) >= 0) {
      result += static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

MountEntry parse_line(std::string_view line) {
  // ID PARENT MAJ:MIN ROOT TARGET OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS
  const auto fields = split(line, ' ');
  const auto separator = std::ranges::find(fields, "-");
  const auto id = parse_integer(fields[0]);
  if (separator - fields.begin() < 6 || fields.end() - separator < 4 || !id) {
    throw Error(ErrorKind::kCorrupt, "cannot parse the mountinfo line \"" + printable(line) + "\"");
  }
  return {.id = static_cast<int>(*id),
          .device = fields[2],
          .root = decode_octal(fields[3]),
          .target = decode_octal(fields[4]),
          .type = separator[1],
          .source = decode_octal(separator[2]),
          .super_options = split(separator[3], ',')};
}

// A file system under construction (fsopen(2)).
class NewFilesystem {
 public:
  explicit NewFilesystem(const char* type) : context_(open_context(type)) {}

  void set_string(const char* key, const std::string& value) {
    configure(FSCONFIG_SET_STRING, key, value.c_str());
  }

  Fd create() {
    configure(FSCONFIG_CMD_CREATE, nullptr, nullptr);
    const int mounted = ::fsmount(context_.get(), FSMOUNT_CLOEXEC, 0);
    if (mounted < 0) throw Error::system(errno, "fsmount" + kernel_message());
    return Fd(mounted);
  }

 private:
  static Fd open_context(const char* type) {
    const int fd = ::fsopen(type, FSOPEN_CLOEXEC);
    if (fd < 0) throw Error::system(errno, std::string("fsopen ") + type);
    return Fd(fd);
  }

  void configure(fsconfig_command command, const char* key, const char* value) {
    if (::fsconfig(context_.get(), command, key, value, 0) == 0) return;
    const int error_number = errno;
    std::string what = key != nullptr ? std::string(key) + "=" + value : "create";
    throw Error::system(error_number, what + kernel_message());
  }

  // What the kernel has to say about the failure; " (...)" or nothing.
  std::string kernel_message() {
    char buffer[512];
    const ssize_t length = ::read(context_.get(), buffer, sizeof buffer);
    if (length <= 0) return {};
    return " (" + std::string(trim({buffer, static_cast<size_t>(length)})) + ")";
  }

  Fd context_;
};

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  for (const std::string& line : split(text, '\n')) {
    if (!line.empty()) mounts.push_back(parse_line(line));
  }
  return mounts;
}

std::vector<MountEntry> read_mounts() { return parse_mountinfo(read_file("/proc/self/mountinfo")); }

uint64_t mount_id_of(const std::filesystem::path& path) {
  struct statx status{};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &status) != 0) return 0;
  return (status.stx_mask & STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0;
}

bool is_mount_point(const std::filesystem::path& path) {
  return std::ranges::contains(read_mounts(), path, &MountEntry::target);
}

Fd open_without_access_times(const std::filesystem::path& directory) {
  constexpr int kDirectory = O_RDONLY | O_DIRECTORY;
  // A mount of our own, which goes when nobody has it open any more.
  const int tree =
      ::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) return open_file(directory, kDirectory);
  const Fd mounted(tree);
  mount_attr quiet{};
  quiet.attr_set = MOUNT_ATTR_NOATIME;
  quiet.attr_clr = MOUNT_ATTR__ATIME;
  quiet.propagation = MS_PRIVATE;
  constexpr int kAll = AT_EMPTY_PATH | AT_RECURSIVE;
  if (::mount_setattr(mounted.get(), "", kAll, &quiet, sizeof quiet) != 0) {
    return open_file(directory, kDirectory);
  }
  return open_at(mounted, ".", kDirectory);
}

void mount(const std::string& source, const std::filesystem::path& target, const std::string& type,
           unsigned long flags, const std::string& data) {
  if (::mount(source.c_str(), target.c_str(), type.c_str(), flags, data.c_str()) != 0) {
    throw Error::system(errno, "cannot mount " + type + " " + printable(source) + " on " +
                                   printable(target.native()));
  }
}

void mount_overlay(const std::vector<std::filesystem::path>& lower,
                   const std::filesystem::path& upper, const std::filesystem::path& work,
                   const std::filesystem::path& target) try {
  NewFilesystem overlay("overlay");
  for (const auto& layer : lower) overlay.set_string("lowerdir+", layer);
  overlay.set_string("upperdir", upper);
  overlay.set_string("workdir", work);
  overlay.set_string("redirect_dir", "off");
  overlay.set_string("metacopy", "off");
  overlay.set_string("index", "off");
  const Fd mounted = overlay.create();
  if (::move_mount(mounted.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw Error::system(errno, "move_mount");
  }
} catch (const Error& error) {
  throw error.in("cannot mount the overlay on " + printable(target.native()));
}

void make_root_read_only(pid_t pid) {
  const Fd mount_namespace = open_file("/proc/" + std::to_string(pid) + "/ns/mnt", O_RDONLY);
  // In a child: a process with threads cannot enter a mount namespace.
  const int error_number = run_forked([&mount_namespace] {
    return ::setns(mount_namespace.get(), CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  });
  if (error_number == 0) return;
  throw Error::system(error_number,
                      "cannot make the root of process " + std::to_string(pid) + " read-only");
}

void unmount_all(const std::filesystem::path& target) {
  while (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno == EBUSY) {
    while (::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) == 0) {
    }
  }
  // EINVAL: not (or no longer) a mount point. ENOENT: there never was one.
  if (errno != EINVAL && errno != ENOENT) {
    throw Error::system(errno, "cannot unmount " + printable(target.native()));
  }
}

void unmount_below(const std::filesystem::path& path) {
  const std::string below = path.native() + "/";
  // What was mounted last goes first.
  for (const MountEntry& mount : read_mounts() | std::views::reverse) {
    if (mount.target == path || mount.target.native().starts_with(below)) unmount_all(mount.target);
  }
}

}  // namespace still
