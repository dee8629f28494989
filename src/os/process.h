// Child processes, started without a shell, held by pidfd.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/fd.h"

namespace still {

struct Command {
  std::vector<std::string> arguments;  // arguments[0] is looked up in PATH
  // Variables set in addition to our own environment.
  std::map<std::string, std::string> environment;
  std::optional<std::filesystem::path> directory;
  // Our descriptor -> the child's number for it. 0, 1, 2 not named here: stdin is /dev/null,
  // stdout and stderr are ours. Everything else is closed in the child.
  std::map<int, int> descriptors;
  // Its own process group: signals of our terminal (Ctrl-C) do not reach it.
  bool own_process_group = false;
  // Keep our stdin where `descriptors` does not name one.
  bool inherit_stdin = false;
};

struct ExitStatus {
  int code = 0;    // the exit code, or 128 + signal
  int signal = 0;  // the signal that killed it, or 0
  bool ok() const { return code == 0; }
  // "exit code 1", "killed by signal 9 (Killed)".
  std::string describe() const;
};

// A running child. The destructor does not kill: it waits for the child if nobody has, so that no
// zombie is left (a child of ours that must not be waited for does not exist: conmon daemonizes).
class Child {
 public:
  // Throws Error(kSystem) if the program cannot be started; ENOENT says which program is missing.
  static Child start(const Command& command);
  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  const Fd& pidfd() const { return pidfd_; }
  // Waits for its end. May be called again and then returns the same.
  ExitStatus wait();
  // The same, at most until the deadline; nullopt then, the child still running.
  std::optional<ExitStatus> wait_until(Deadline deadline);
  // Sends a signal; a child that has ended is no error.
  void signal(int number);

 private:
  friend class HeldChild;
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
};

// A child that exists but has not become its program yet: it waits at a gate, so that the start
// takes the least time when the moment comes, and so that whoever must know the process knows it
// before it can do anything.
class HeldChild {
 public:
  // A command that cannot be started ends with exit code 127 once it is let go. Throws
  // Error(kSystem) if its program is missing. To be called while no other thread runs.
  static HeldChild prepare(const Command& command);
  HeldChild(HeldChild&&) noexcept = default;
  HeldChild& operator=(HeldChild&&) = delete;
  // Without let_go() the child ends, and is waited for.
  ~HeldChild() = default;

  pid_t pid() const { return child_.pid(); }
  const Fd& pidfd() const { return child_.pidfd(); }
  // A process that comes to have a copy of this descriptor by fork must close it: the child ends
  // when the last one is closed.
  const Fd& gate() const { return gate_; }
  // Opens the gate.
  Child let_go() &&;

 private:
  HeldChild(Child child, Fd gate) : child_(std::move(child)), gate_(std::move(gate)) {}
  Child child_;
  Fd gate_;  // closed before the child is waited for: members go in reverse order
};

struct CommandResult {
  ExitStatus status;
  std::string output;  // standard output
  std::string errors;  // standard error
};

// Runs a command to its end, both outputs captured. A command that fails is no exception here.
CommandResult run_command(Command command);

// The same, but a failing command throws Error(kRuntime) naming the program, its exit and the last
// line it wrote to standard error. Returns its standard output.
std::string run_checked(Command command);

// The last line of text that is not empty, without white space at its ends.
std::string last_line(std::string_view text);

// The full path of a program in PATH; nullopt if it is not there.
std::optional<std::filesystem::path> find_program(const std::string& name);

// When the process started, in clock ticks since boot (field 22 of /proc/PID/stat). Together with
// the pid it identifies a process for the life of the machine. nullopt if there is none or it is a
// zombie.
std::optional<uint64_t> process_start_time(pid_t pid);

// A pidfd; nullopt if there is no such process.
std::optional<Fd> open_pidfd(pid_t pid);

// Sends a signal through a pidfd. False if the process has ended.
bool send_signal(const Fd& pidfd, int number);

// Waits until the process behind the pidfd has ended; false at the deadline.
bool wait_for_exit(const Fd& pidfd, Deadline deadline);

// A process for the life of the machine, as process_start_time() has it.
struct ProcessIdentity {
  pid_t pid = 0;  // 0: none
  uint64_t start_time = 0;
};
// Start time 0 if it has ended.
ProcessIdentity identify_process(pid_t pid);
bool is_alive(const ProcessIdentity& process);

// Whether a process of this process group lives; zombies do not.
bool group_is_alive(pid_t group);
// Those of it that are stopped by a signal.
std::vector<pid_t> stopped_processes(pid_t group);

}  // namespace still
