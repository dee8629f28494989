// What the container's processes have open and CRIU cannot dump, or not bring back.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace still::checkpoint {

// --- plain computation
// ---------------------------------------------------------------------------

// In words, by the target of a link in /proc/PID/fd and the text of /proc/PID/fdinfo
// (proc_pid_fdinfo(5)); empty: nothing of that kind. CRIU 4.1.1 fails at most of them; an eventfd
// that counts down by one it brings back as another one.
std::string undumpable_kind(std::string_view target, std::string_view information);
// The same of a socket, by the kernel's name of its protocol ("TCPv6", "AF_VSOCK").
std::string undumpable_protocol(std::string_view protocol);
// Whether events that somebody waits for a permission of (fanotify(7)) go to this descriptor.
bool gives_permissions(std::string_view information);

// --- asked of the kernel
// -------------------------------------------------------------------------

struct Descriptor {
  pid_t process = 0;
  std::string number;
  std::string target;  // of the link: a path in the container, "socket:[4711]"
};

struct Undumpable {
  pid_t process = 0;
  std::string words;
};
// The first descriptor of such a kind; nullopt: none. Throws Error(kSystem).
std::optional<Undumpable> find_undumpable(const std::vector<pid_t>& processes);
// The first that permission events go to: CRIU opens files of the container, and would wait for
// ever for a permission that a frozen process is to give. Throws Error(kSystem).
std::optional<Undumpable> find_permission_events(const std::vector<pid_t>& processes);

// A file that is leased for writing (fcntl(2), F_SETLEASE) and that a live checkpoint would have to
// open, which breaks the lease: one in another mount than the root file system of the first of the
// processes (there it is read below the overlay), or one without a name. Throws Error(kSystem).
std::optional<Descriptor> find_broken_lease(const std::vector<pid_t>& processes);

// A pseudo terminal in which something waits to be read that CRIU could not put back as it was
// (os/terminal_queue.h), and whose two ends the processes have. Throws Error(kSystem).
std::optional<Descriptor> find_waiting_terminal(const std::vector<pid_t>& processes);

}  // namespace still::checkpoint
