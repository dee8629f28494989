// A copy of the memory of a container's processes at one instant, made in milliseconds: each
// process is made to fork, and the kernel keeps what the parent changes from then on apart (copy on
// write).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <vector>

#include "memory/injection.h"
#include "memory/landing.h"
#include "memory/tracee.h"
#include "memory/tracer.h"
#include "os/maps.h"

namespace still::memory {

// The memory of a process, to be read at leisure.
struct Copy {
  pid_t process = 0;  // as the images know it
  pid_t parent = 0;
  pid_t child = 0;  // stands still; holds the memory of the instant of the fork, but for:
  // memory that does not come along in a fork, and what we have written over in the parent.
  std::vector<Bytes> corrections;
  // What the process's children find wiped (MADV_WIPEONFORK); known after keep().
  std::vector<AddressRange> wiped;
  uint64_t system_call = 0;  // address of an instruction
  uint64_t scratch = 0;      // address of bytes that a correction has
};

// The pids of processes in their own pid namespaces; those that have ended are left out.
std::vector<pid_t> inner_pids(const std::vector<pid_t>& processes);

class ForkCopy {
 public:
  ForkCopy();
  ForkCopy(const ForkCopy&) = delete;
  ForkCopy& operator=(const ForkCopy&) = delete;
  // Lets go of everything, as end().
  ~ForkCopy();

  // While the processes run: looks for what hold() and take() will need to know of them.
  void prepare(const std::vector<pid_t>& processes);

  // The processes' cgroup is frozen and CRIU's images, all but the memory, are complete: holds
  // every thread, so that none runs when the cgroup is thawed. beside: others of the cgroup, which
  // are held but not copied. Throws Error(kConflict) if somebody else traces one,
  // Error(kUnsupported) for processes that the images do not know.
  void hold(const std::vector<pid_t>& processes, const std::filesystem::path& images,
            const std::vector<pid_t>& beside = {});
  // The cgroup is thawed: copies each process; the copies are the first to be killed when memory is
  // short. Throws Error(kConflict) when a process cannot be copied (a limit of processes),
  // Error(kUnsupported) for one unlike others, Error(kTimeout).
  void take(Deadline deadline);
  // Lets the processes run. On an error before that the destructor does.
  void let_go();
  // At once after let_go(), for until then what a process closes when it ends stays open: waits
  // until the copies stand still, and sees to it that they end with us and hold nothing but memory
  // (make_inert()). Throws Error(kConflict), Error(kTimeout).
  void keep(Deadline deadline);

  const std::vector<Copy>& copies() const { return copies_; }

  // Kills the copies and has their parents collect them. Failures are logged.
  void end() noexcept;

  // Where a process of ours was killed while it held copies these have ended, but nobody collects
  // them: has these processes do it that they are children of. images: as of hold(). Returns how
  // many there were; failures are logged. Throws Error(kCorrupt) for the images.
  static size_t collect_abandoned(const std::vector<pid_t>& processes,
                                  const std::filesystem::path& images);

 private:
  struct Process {
    pid_t pid = 0;
    pid_t image_pid = 0;
    std::vector<Tracee> threads;  // the first one is the one that makes the fork
    AddressMap map;
    criu::AlternateStack alternate_stack;  // of that thread
    std::vector<std::pair<uint64_t, uint64_t>> not_in_fork;
  };
  // Some of the processes, and the OS thread that traces them and their copies.
  struct Share {
    std::vector<Process> processes;
    std::vector<Tracee> beside;  // threads of processes that are not copied
    std::vector<Copy> copies;
    std::vector<Tracee> children;  // the copies, once they stand still
    Tracer tracer;                 // the last member: what it traces is let go of first

    void end_copy(const Copy& copy, ForkCopy& all);
  };

  // Has each share's tracer do the work, all at the same time. Throws what the first one throws
  // when all have ended.
  void in_shares(const std::function<void(Share&)>& work);
  // As prepare() has found it; empty for a process that came later.
  std::vector<std::pair<uint64_t, uint64_t>> expected_not_in_fork(pid_t pid) const;
  Process hold_process(pid_t pid, const std::filesystem::path& images) const;
  Copy take_process(Process& process, Deadline deadline);
  void reap(std::vector<Tracee>& parent_threads, pid_t parent, pid_t child);

  Landings landings_;
  // By pid: start and end of what a fork leaves out, as it was before the freeze.
  std::map<pid_t, std::vector<std::pair<uint64_t, uint64_t>>> expected_not_in_fork_;
  std::map<pid_t, criu::AlternateStack> alternate_stacks_;  // by pid
  std::vector<Copy> copies_;
  std::list<Share> shares_;  // one for each processor
};

}  // namespace still::memory
