#include "checkpoint/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

extern "C" {  // glibc 2.41 forgets to say so
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/fdinfo.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/terminal_queue.h"
#include "os/walk.h"

namespace still::checkpoint {
namespace {

constexpr std::string_view kAnonymous = "anon_inode:";

// What CRIU dumps of what has no name in a file system (dump_one_file() in criu/files.c).
bool is_known_to_criu(std::string_view kind) {
  constexpr std::array<std::string_view, 8> kKnown = {"[eventfd]",  "[eventpoll]", "[signalfd]",
                                                      "[timerfd]",  "inotify",     "[inotify]",
                                                      "[fanotify]", "[pidfd]"};
  return std::ranges::contains(kKnown, kind);
}

std::string anonymous_kind(std::string_view kind) {
  if (kind == "[io_uring]") return "an io_uring";
  if (kind == "[userfaultfd]") return "a userfaultfd";
  if (kind == "seccomp notify") return "a listener for seccomp notifications";
  return formatted("a descriptor of the kind {}", printable(std::string(kind)));
}

// What a link of /proc stands for; empty if it has gone since it was listed, or has a path that the
// kernel does not tell.
std::string link_target(const Fd& directory, const std::string& link) try {
  return read_link_at(directory, link);
} catch (const Error& error) {
  const int number = error.error_number();
  if (number == ENOENT || number == ESRCH || number == ENAMETOOLONG) return {};
  throw;
}

// Calls visit with each descriptor of the processes until it returns true.
void each_descriptor(const std::vector<pid_t>& processes,
                     const std::function<bool(const Descriptor&)>& visit) {
  for (const pid_t pid : processes) {
    const auto directory = open_if_exists(formatted("/proc/{}/fd", pid), O_RDONLY | O_DIRECTORY);
    if (!directory) continue;  // the process has ended
    for (std::string& number : list_names(*directory)) {
      std::string target = link_target(*directory, number);
      if (visit({.process = pid, .number = std::move(number), .target = std::move(target)})) return;
    }
  }
}

std::string information_of(const Descriptor& descriptor) {
  return read_file_if_exists(formatted("/proc/{}/fdinfo/{}", descriptor.process, descriptor.number))
      .value_or("");
}

std::string path_of(const Descriptor& descriptor) {
  return formatted("/proc/{}/fd/{}", descriptor.process, descriptor.number);
}

std::string protocol_of(const Descriptor& descriptor) {
  constexpr size_t kMostLetters = 64;
  std::array<char, kMostLetters> name{};
  const ssize_t size =
      ::getxattr(path_of(descriptor).c_str(), "system.sockprotoname", name.data(), name.size() - 1);
  return size > 0 ? std::string(name.data()) : std::string();
}

// A namespace is known to CRIU by a process that lives in it. Other links of this form are none.
bool is_of_other_namespace(const Descriptor& descriptor) {
  constexpr std::array<std::string_view, 8> kNames = {"cgroup", "ipc",  "mnt",  "net",
                                                      "pid",    "time", "user", "uts"};
  const std::string name = descriptor.target.substr(0, descriptor.target.find(":["));
  if (!std::ranges::contains(kNames, name)) return false;
  const auto own = open_if_exists(formatted("/proc/{}/ns", descriptor.process), O_RDONLY);
  return own && link_target(*own, name) != descriptor.target;
}

std::string undumpable(const Descriptor& descriptor) {
  if (is_of_other_namespace(descriptor)) return "a namespace that it is not in";
  if (descriptor.target.starts_with("socket:[")) {
    return undumpable_protocol(protocol_of(descriptor));
  }
  const bool has_no_name = descriptor.target.starts_with(kAnonymous) ||
                           descriptor.target.starts_with("pipe:[") ||
                           descriptor.target.starts_with("pidfd:[");
  return has_no_name ? undumpable_kind(descriptor.target, information_of(descriptor)) : "";
}

bool is_leased_for_writing(std::string_view information) {
  return std::ranges::any_of(split(std::string(information), '\n'), [](const std::string& line) {
    return line.starts_with("lock:") && line.contains(" LEASE ") && line.contains(" WRITE ");
  });
}

// Of both ends; a container's pseudo terminals are numbered in one file system.
struct Ends {
  bool has_master = false;
  bool has_slave = false;
  std::optional<Descriptor> waiting;
};

// The number of the pseudo terminal; nullopt if it is none.
std::optional<unsigned> number_of(const Fd& terminal, const struct stat& status) {
  if (is_pty_slave(status)) {
    constexpr unsigned kMinors = 256;
    return (major(status.st_rdev) - kFirstPtsMajor) * kMinors + minor(status.st_rdev);
  }
  unsigned number = 0;
  if (::ioctl(terminal.get(), TIOCGPTN, &number) != 0) return std::nullopt;
  return number;
}

void look_at_terminal(const Descriptor& descriptor, std::map<unsigned, Ends>& terminals) {
  struct stat status{};
  if (::stat(path_of(descriptor).c_str(), &status) != 0) return;
  const bool is_master = is_pty_master(status);
  if (!is_master && !is_pty_slave(status)) return;
  const auto process = open_pidfd(descriptor.process);
  const auto number = parse_integer(descriptor.number);
  if (!process || !number) return;
  // Opened anew it would be another terminal, or one that is held open once more.
  const int copy = ::pidfd_getfd(process->get(), static_cast<int>(*number), 0);
  if (copy < 0) return;
  const Fd terminal(copy);
  const auto which = number_of(terminal, status);
  if (!which) return;
  Ends& ends = terminals[*which];
  (is_master ? ends.has_master : ends.has_slave) = true;
  if (terminal_queue(terminal.get(), is_master) == TerminalQueue::kChanging) {
    ends.waiting = descriptor;
  }
}

}  // namespace

std::string undumpable_kind(std::string_view target, std::string_view information) {
  if (target.starts_with("pipe:[")) {
    return has_open_flag(information, O_DIRECT) ? "a pipe in packet mode" : "";
  }
  if (target == "anon_inode:[pidfd]" || target.starts_with("pidfd:[")) {
    constexpr uint64_t kOfThread = O_EXCL;  // PIDFD_THREAD of linux/pidfd.h
    return has_open_flag(information, kOfThread) ? "a pidfd of a thread" : "";
  }
  if (!target.starts_with(kAnonymous)) return {};
  const std::string_view kind = target.substr(kAnonymous.size());
  if (kind == "[eventfd]" && fdinfo_number(information, "eventfd-semaphore", 10) != 0) {
    return "an eventfd that is a semaphore";
  }
  return is_known_to_criu(kind) ? "" : anonymous_kind(kind);
}

std::string undumpable_protocol(std::string_view protocol) {
  constexpr std::array<std::string_view, 15> kKnown = {
      "UNIX", "UNIX-STREAM", "TCP",  "TCPv6",  "UDP",     "UDPv6",  "UDP-Lite", "UDPLITEv6",
      "RAW",  "RAWv6",       "PING", "PINGv6", "NETLINK", "PACKET", "UDPLite"};
  if (protocol.empty() || std::ranges::contains(kKnown, protocol)) return {};
  return formatted("a socket of the kind {}", printable(std::string(protocol)));
}

bool gives_permissions(std::string_view information) {
  // FAN_OPEN_PERM, FAN_ACCESS_PERM, FAN_OPEN_EXEC_PERM and FAN_PRE_ACCESS of linux/fanotify.h.
  constexpr uint64_t kPermissions = 0x10000 | 0x20000 | 0x40000 | 0x100000;
  constexpr int kHexadecimal = 16;
  constexpr std::string_view kMask = " mask:";
  for (size_t at = information.find(kMask); at != std::string_view::npos;
       at = information.find(kMask, at + 1)) {
    const std::string digits(information.substr(at + kMask.size()));
    if ((std::strtoull(digits.c_str(), nullptr, kHexadecimal) & kPermissions) != 0) return true;
  }
  return false;
}

std::optional<Undumpable> find_undumpable(const std::vector<pid_t>& processes) {
  std::optional<Undumpable> found;
  each_descriptor(processes, [&](const Descriptor& descriptor) {
    std::string words = undumpable(descriptor);
    if (!words.empty()) found = {.process = descriptor.process, .words = std::move(words)};
    return found.has_value();
  });
  return found;
}

std::optional<Undumpable> find_permission_events(const std::vector<pid_t>& processes) {
  std::optional<Undumpable> found;
  each_descriptor(processes, [&](const Descriptor& descriptor) {
    if (descriptor.target == "anon_inode:[fanotify]" &&
        gives_permissions(information_of(descriptor))) {
      found = {.process = descriptor.process, .words = "permission events of fanotify"};
    }
    return found.has_value();
  });
  return found;
}

std::optional<Descriptor> find_broken_lease(const std::vector<pid_t>& processes) {
  // Most machines have none at all.
  if (processes.empty() || !read_file("/proc/locks").contains(" LEASE ")) return std::nullopt;
  const uint64_t root = mount_id_of(formatted("/proc/{}/root", processes.front()));
  std::optional<Descriptor> found;
  each_descriptor(processes, [&](const Descriptor& descriptor) {
    const std::string information = information_of(descriptor);
    if (!is_leased_for_writing(information)) return false;
    const bool is_below_root = fdinfo_number(information, "mnt_id", 10) == root;
    if (!is_below_root || descriptor.target.ends_with(" (deleted)")) found = descriptor;
    return found.has_value();
  });
  return found;
}

std::optional<Descriptor> find_waiting_terminal(const std::vector<pid_t>& processes) {
  std::map<unsigned, Ends> terminals;
  each_descriptor(processes, [&](const Descriptor& descriptor) {
    if (descriptor.target.starts_with("/dev/")) look_at_terminal(descriptor, terminals);
    return false;
  });
  for (const auto& [number, ends] : terminals) {
    if (ends.waiting && ends.has_master && ends.has_slave) return ends.waiting;
  }
  return std::nullopt;
}

}  // namespace still::checkpoint
