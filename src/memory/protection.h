// Asynchronous write protection of a process's memory (userfaultfd(2) with
// UFFD_FEATURE_WP_ASYNC, PAGEMAP_SCAN of admin-guide/mm/pagemap.rst; Linux 6.7): the kernel itself
// notes which pages the process writes to. The process never waits for us, and when our last
// descriptor is closed, by our death as well, nothing is left of it.
//
// What errs, errs on the safe side: memory that was mapped, moved or given back since is "written".
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "memory/landing.h"
#include "memory/page_run.h"
#include "os/clock.h"
#include "os/fd.h"

namespace still::memory {

// In the order of addresses.
struct Changes {
  // With a content of its own: no clean pages of files, no page of zeros that the kernel shares.
  std::vector<PageRun> written;
  // Those, and pages that have none, or have none any more.
  std::vector<PageRun> looked_at;
};

class Protection {
 public:
  // All threads of the process stand still for the time of two system calls, which the first one
  // makes. In the OS thread that is to trace it, whose
  // end lets go of threads that have not stopped in time. Throws Error(kUnsupported) for a process
  // that is not like others, or whose first thread is not on its own stack just now;
  // Error(kConflict), Error(kTimeout), Error(kSystem).
  static Protection open(pid_t process, Landings& landings);
  Protection(Protection&&) noexcept = default;
  Protection& operator=(Protection&&) = delete;
  // Ends all protection, in one piece: see release().
  ~Protection() = default;

  // Mappings that have come since, private ones and those of shared memory, are protected from now
  // on, as far as they can be. Nothing is, where the process executes another program by now: all
  // of it is "written" then.
  void cover() const;
  // Pages of private memory that were written to since the last call, or never asked for; from here
  // on writes to them are noted again. Only what is covered, and always the code that the kernel
  // gives every process ("[vdso]"). The process may run, and is not held up noticeably. Throws
  // Error(kSystem).
  Changes take_written() const;

  // Of a shared mapping: what may have been written to through it since the last call, or since it
  // is covered; from here on writes through it are noted anew.
  std::vector<PageRun> take_unprotected(const PageRun& range) const;

  // Ends it in pieces, so that the process is not held up: for one that runs. Never fails.
  void release() const noexcept;

 private:
  Protection(pid_t process, Fd userfault) : process_(process), userfault_(std::move(userfault)) {}

  pid_t process_;
  Fd userfault_;
};

// As take_written(), of all private memory of a process, whether covered or not, and nothing is
// noted anew.
Changes written_pages(pid_t process);

// Private mappings of a process, in the order of addresses, but for those of the kernel and of
// devices. Empty if it has ended.
struct PrivateMapping {
  PageRun pages;
  bool is_of_file = false;
};
std::vector<PrivateMapping> private_mappings(pid_t process);

// Mappings of memory that processes share: anonymous, System V, memfd_create(2), which are files of
// a file system of the kernel's own. Not those of huge pages that were asked for. In the order of
// addresses; empty if the process has ended.
struct SharedMapping {
  PageRun pages;
  uint64_t offset = 0;  // in the shared memory, bytes
  uint64_t inode = 0;
  std::string name;  // "/dev/zero (deleted)", "/SYSV00000000 (deleted)", "/memfd:NAME (deleted)"
};
std::vector<SharedMapping> shared_mappings(pid_t process);
// Whether a link of /proc/PID (fd, map_files) leads to such memory.
bool is_shared_memory(const std::string& link);
// What may have been written to through a shared mapping since take_unprotected(): all of one that
// is not covered. Nothing is noted anew.
std::vector<PageRun> unprotected_pages(pid_t process, const PageRun& range);

// What is in the page tables of a process.
std::vector<PageRun> present_pages(pid_t process, const PageRun& range);
// The pages with a content of its own in a range of a process's private memory, written to or not.
std::vector<PageRun> own_pages(pid_t process, const PageRun& range);
// Those that are swapped out, and, in mappings of files, those that were given back
// (MADV_DONTNEED): the kernel keeps the note there that they are not written to, though their
// content is the file's again.
std::vector<PageRun> swapped_pages(pid_t process, const PageRun& range);

}  // namespace still::memory
