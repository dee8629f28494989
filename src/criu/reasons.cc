#include "criu/reasons.h"

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "os/process_status.h"

namespace still::criu {
namespace {

// line: of CRIU's sources, with a "*" for each value; what comes before and after does not matter.
// words: "{1}" is the first value, "{task 1}" the process of that number.
struct Known {
  std::string_view line;
  std::string_view words;
  std::string_view hint;
};

constexpr std::string_view kTryAgain = "try again";
constexpr std::string_view kChangeProgram = "have its program work without, or end it first";
constexpr std::string_view kSameImage =
    "restore where the image and the mounted files are those of the checkpoint";
constexpr std::string_view kSameMachine =
    "restore on a machine with the same features, or a newer one";
constexpr std::string_view kFreeSpace = "make room there and try again";

// The more special one first.
constexpr std::array kKnown = {
    // Dumps: sockets. SO_PASSCRED of an IP socket is an error since Linux 6.16.
    Known{"sockets: Can't get 1:16 opt",
          "this version of CRIU cannot dump IP sockets on Linux 6.16 and newer", ""},
    Known{"inet: Connected TCP socket, consider using", "a TCP connection is open",
          "add --tcp-established"},
    Known{"inet: In-flight connection (l) for *", "a TCP connection waits to be accepted",
          kTryAgain},
    Known{"inet: Can't dump corked dgram socket *",
          "a UDP socket holds back what was written to it (UDP_CORK)", kTryAgain},
    Known{"inet: Can't dump * inet socket",
          "a socket of a type other than stream, datagram and raw is open", kChangeProgram},
    Known{"inet: Unsupported proto * for socket",
          "a socket of IP protocol {1} is open, which CRIU cannot dump", kChangeProgram},
    Known{"TCP_REPAIR can't be enabled for half-closed sockets",
          "a TCP connection is closed on one side", kTryAgain},
    Known{"tcp: Failed to lock TCP connection *", "a TCP connection could not be held still",
          "load the kernel's netfilter modules (nf_tables or ip_tables)"},
    Known{"netlink: The socket has data to read",
          "a netlink socket has messages that nobody has read", kTryAgain},
    Known{"netlink: Groups above 32 are not supported", "a netlink socket is in a group above 32",
          kChangeProgram},
    Known{"The netlink socket * has more than 32 groups", "a netlink socket is in a group above 32",
          kChangeProgram},
    Known{"is bound to groups but not to portid",
          "a netlink socket is in a group and has no number", kChangeProgram},
    Known{"unix: Can't dump half of stream unix connection. name: *; peer name: *",
          "the unix socket \"{1}\" is connected to a process outside of the container (\"{2}\")",
          "end that connection first"},
    Known{"unix: External socket is used",
          "a unix socket sends to a process outside of the container", "end that connection first"},
    Known{"unix: Non-empty write queue on an in-flight socket *",
          "a client has written to a unix socket that is not accepted yet", kTryAgain},
    Known{"unix: Found a closed in-flight socket to *",
          "a client of a unix socket has gone before it was accepted", kTryAgain},
    Known{"skqueue: Control messages in queue", "control messages wait in a socket to be read",
          kTryAgain},
    Known{"packet: Multiple MC membership not supported",
          "a packet socket is in the same multicast group twice", kChangeProgram},
    Known{"net: Unable to dump a socket from an external network namespace",
          "a socket of another network namespace is open", kChangeProgram},
    Known{"net: Unsupported link * (type * kind *)",
          "a network interface of kind {3} is in the container", "remove it first"},
    // Files and mounts.
    Known{"Some file locks are hold by dumping tasks", "a file lock is held", "add --file-locks"},
    Known{"Can't lookup mount=* for fd=* path=*",
          "{3} (descriptor {2}) is open on a mount that the container does not have: a detached "
          "one, or one of another "
          "mount namespace",
          kChangeProgram},
    Known{"Open files on overmounted mounts are not supported yet; mount=* fd=* path=*",
          "{3} (descriptor {2}) is open below another mount", kChangeProgram},
    Known{"Can't dump ghost file * of * size, increase limit",
          "the deleted file {1} of {2} bytes is still open", ""},
    // create_link_remap() in criu/files-reg.c
    Known{"Can't link remap to *: *",
          "{1} has lost its name while it is open, and its other names are not to be found in the "
          "container",
          ""},
    Known{"Can't dump file * of that type [*] (* *)",
          "descriptor {1} is of a kind that CRIU cannot dump: {3} {4}", kChangeProgram},
    Known{"The packetized mode for pipes is not supported", "a pipe keeps packets apart (O_DIRECT)",
          kChangeProgram},
    Known{"fsnotify: Can't find suitable path for handle",
          "a file that inotify or fanotify watches has no name any more", kChangeProgram},
    Known{"Can't dump that handle",
          "a file that inotify or fanotify watches is on a file system without handles",
          kChangeProgram},
    Known{"epoll: Escaped/closed fd descriptor * on pid *",
          "{task 2} waits with epoll for descriptor {1}, which is closed, while the file is open "
          "elsewhere",
          kChangeProgram},
    Known{"pidfd: PIDFD_THREAD flag is currently not supported",
          "a descriptor of a thread is open (PIDFD_THREAD)", kChangeProgram},
    Known{"is a fuse mount but not external", "a FUSE file system is mounted in the container",
          "unmount it first"},
    Known{"autofs not supported", "an autofs file system is mounted in the container",
          "unmount it first"},
    Known{"mnt: FS mnt * dev * root * unsupported id *",
          "CRIU does not know the file system mounted at {1}", "unmount it first"},
    Known{"mnt: Mount *:* is autodetected external mount",
          "what is mounted at {2} comes from outside of the container", "unmount it first"},
    Known{"(@*) has unreachable sharing",
          "the mount at {1} takes part in mounts of another namespace",
          "make it private first (mount --make-private)"},
    // tty_do_dump_queued_data() in criu/tty.c, where our library lets it read nothing.
    Known{"Can't read data from tty",
          "something waits in a terminal of the container to be read, and would be changed by "
          "reading it for the copy",
          kTryAgain},
    Known{"tty: Found dangling tty with sid *",
          "the terminal of session {1} is one of outside of the container",
          "end that session first"},
    // Processes. compel_wait_task() in compel/src/lib/infect.c comes first.
    Known{"Unseizable non-zombie * found",
          "{task 1} does not stop when CRIU asks it to; it waits in the kernel, for a child of "
          "vfork, a file system or a "
          "device",
          kTryAgain},
    Known{"Can't dump task * running in 32-bit mode",
          "{task 1} is a 32-bit program, which CRIU cannot dump here", ""},
    Known{"Can't dump task * with LDT descriptors", "{task 1} has segments of its own (modify_ldt)",
          kChangeProgram},
    Known{"Can't dump the * thread with a pending SIGTRAP",
          "{task 1} is about to be told of a breakpoint", "end the debugger first"},
    Known{"Can't dump nested * namespace for *",
          "{task 2} has a {1} namespace of its own, which CRIU cannot dump", kChangeProgram},
    Known{"Unable to convert uid or gid",
          "a process has a user namespace of its own, which CRIU cannot dump", kChangeProgram},
    Known{"One or more namespaces doesn't belong to the target user namespace",
          "a process has a user namespace of its own, which CRIU cannot dump", kChangeProgram},
    Known{"Can't dump nested time namespace for *", "{task 1} has a time namespace of its own",
          kChangeProgram},
    Known{"Individually stopped threads not supported", "single threads of a process are stopped",
          kTryAgain},
    Known{"Zombies with threads are not supported",
          "the main thread of a process has ended while others go on", kChangeProgram},
    Known{"Zombie thread not supported",
          "the main thread of a process has ended while others go on", kChangeProgram},
    Known{"A session leader of *(*) is outside of its pid namespace",
          "{task 1} is in a session from outside", "end that process first"},
    Known{"Can't find a session leader for *", "{task 1} is in a session whose leader has ended",
          "end that process first"},
    Known{"Exit signal not SIGCHLD",
          "a process was made to end with another signal than SIGCHLD (clone(2))", kChangeProgram},
    Known{"Dumping seccomp filters not supported", "the kernel does not show seccomp filters", ""},
    // Memory.
    Known{"Can't handle non-regular mapping on *'s map *",
          "{task 1} has a device in its memory (at {2})", kChangeProgram},
    Known{"Sysv shmem * with", "a System V segment is mapped in parts", kChangeProgram},
    Known{"SysV shmem vma", "a System V segment is mapped that has been removed", kChangeProgram},
    // Restores.
    Known{"File * has bad size * (expect *)",
          "{1} has changed: {2} bytes, and {3} at the checkpoint", kSameImage},
    Known{"File * has bad mode * (expect *)",
          "{1} has changed: mode {2}, and {3} at the checkpoint", kSameImage},
    Known{"File * has bad build-ID", "{1} has changed: it is another build of the program",
          kSameImage},
    Known{"Can't open file * on restore: *",
          "{1}, which a program had open, cannot be opened ({2})", kSameImage},
    Known{"Can't bind inet socket *: Address already in use",
          "a port of the container is in use here",
          "stop what listens there, or restore into a network of its own (--network none)"},
    Known{"Can't bind inet socket *: Cannot assign requested address",
          "an address of the container is not here",
          "give the network the address of the checkpoint"},
    Known{"inet: Connected TCP socket in image", "the checkpoint has open TCP connections",
          "add --tcp-established or --tcp-close"},
    Known{"Can't restore * queue data",
          "what a TCP connection had not sent yet could not be put back", "add --tcp-close"},
    Known{"Can't fork for *: File exists", "the process number {1} is taken",
          "restore into a pid namespace of its own"},
    Known{"First PID in a PID namespace needs to be",
          "the container's first process would not have number 1", ""},
    Known{"This process tree can only be restored in a new pid namespace",
          "the checkpoint needs a pid namespace", ""},
    Known{"cpu: CPU * do not match run time", "this processor lacks {1} that the programs may use",
          kSameMachine},
    Known{"cpu: FPU feature required by image is not supported on host",
          "this processor lacks features that the programs may use", kSameMachine},
    Known{"cpu: CPU xsave size mismatch",
          "this processor keeps other registers than that of the checkpoint", kSameMachine},
    Known{"cpu: CPU xfeatures has unsupported bits",
          "this processor keeps other registers than that of the checkpoint", kSameMachine},
    Known{"Core march mismatch", "the checkpoint is of another kind of processor", kSameMachine},
    Known{"can't restore as kernel doesn't support it", "this kernel has no restartable sequences",
          kSameMachine},
    Known{"apparmor LSM specified but apparmor not supported",
          "the checkpoint has an AppArmor profile, this kernel none", kSameMachine},
    Known{"selinux LSM specified but selinux not supported",
          "the checkpoint has SELinux labels, this kernel none", kSameMachine},
    Known{"External socket found in image",
          "the checkpoint has a unix socket that is connected to another container", ""},
    // Of anything, at the end of a line.
    Known{": No space left on device", "a file system is full", kFreeSpace},
    Known{": Disk quota exceeded", "a disk quota is used up", kFreeSpace},
    Known{": Cannot allocate memory", "there is not enough memory",
          "raise the limit, or free some, and try again"},
};

// The values at the stars; nullopt if the line does not match.
std::optional<std::vector<std::string_view>> match(std::string_view error, std::string_view line) {
  std::vector<std::string_view> values;
  const auto first = line.substr(0, line.find('*'));
  size_t at = error.find(first);
  if (at == std::string_view::npos) return std::nullopt;
  at += first.size();
  line.remove_prefix(first.size());
  while (!line.empty()) {
    line.remove_prefix(1);
    const auto words = line.substr(0, line.find('*'));
    const size_t end = words.empty() ? error.size() : error.find(words, at);
    if (end == std::string_view::npos) return std::nullopt;
    values.push_back(error.substr(at, end - at));
    at = end + words.size();
    line.remove_prefix(words.size());
  }
  return values;
}

std::string task(std::string_view number) {
  const auto pid = static_cast<pid_t>(parse_integer(number).value_or(0));
  const auto name = pid > 0 ? process_status_field(pid, "Name") : std::nullopt;
  return name ? formatted("task {} ({})", number, printable(*name)) : formatted("task {}", number);
}

std::string filled(std::string_view words, const std::vector<std::string_view>& values) {
  constexpr std::string_view kTask = "{task ";
  std::string text;
  while (!words.empty()) {
    const size_t begin = words.find('{');
    text += words.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const auto place = words.substr(begin, words.find('}', begin) + 1 - begin);
    const auto value = trim(values.at(static_cast<size_t>(place[place.size() - 2] - '1')));
    if (place.starts_with(kTask)) {
      text += task(value);
    } else {
      text += value;
    }
    words.remove_prefix(begin + place.size());
  }
  return text;
}

}  // namespace

Reason reason_of(std::string_view error) {
  for (const Known& known : kKnown) {
    if (const auto values = match(error, known.line)) {
      return {.words = filled(known.words, *values),
              .hint = std::string(known.hint),
              .lines = std::string(error)};
    }
  }
  return {};
}

std::vector<std::string_view> known_lines() {
  std::vector<std::string_view> lines;
  std::ranges::transform(kKnown, std::back_inserter(lines), &Known::line);
  return lines;
}

}  // namespace still::criu
