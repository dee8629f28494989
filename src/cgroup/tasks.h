// The tasks of a cgroup as procfs shows them. Internal to cgroup/.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "os/clock.h"
#include "os/fd.h"

namespace still::cgroup {

struct Task {
  pid_t pid;
  std::string command;       // comm: at most 15 bytes, any bytes
  char state;                // 'R', 'S', 'D', ... (proc_pid_stat(5))
  std::string wait_channel;  // the kernel function it sleeps in; empty if unknown
};

// "12 (cat, state D, in request_wait_answer)".
std::string describe(const Task& task);

// The numbers in a file ("cgroup.procs", "tasks") of the cgroup and of all cgroups below it,
// sorted. Cgroups that vanish meanwhile are left out, and so are 0 entries: tasks of another pid
// namespace.
std::vector<pid_t> list_ids(const Fd& directory, const std::string& file);

// The tasks that do not sleep in the kernel's freezer. On v1 they can be more than the guilty ones:
// newer kernels freeze a sleeping task where it is and show it in state D.
std::vector<Task> unfrozen_tasks(const Fd& directory, const std::string& thread_list);

// Of tasks that are frozen: those that wait in the kernel for a child that they have made by
// vfork(2), or as posix_spawn(3) does, until that executes a program or ends. The kernel counts
// them as frozen, but ptrace(2) cannot stop them before that. It counts them a moment before they
// sleep: what runs is waited for, until asleep_by.
std::vector<Task> tasks_in_vfork(const Fd& directory, const std::string& thread_list,
                                 Deadline asleep_by);

// Asked after the thaw: those of the tasks that were in state D and still are.
std::vector<Task> still_uninterruptible(const std::vector<Task>& tasks);

}  // namespace still::cgroup
