// A copy of a tree that changes, brought up to date again and again while it changes, and a last
// time while it stands still: what has not changed by then costs nothing but a look.
//
// What proves that a file has not changed is its status: every change through a system call, and
// every first store to a clean mapped page, sets its ctime to the kernel's coarse clock. That holds
// with three precautions, all taken here:
//  - A file whose ctime is not clearly older than its copy is racy: a later change can leave the
//    same ctime. It is copied again.
//  - Dirty pages can be stored to through a mapping without any trace. They are written back before
//    the file is read, which makes them clean; files that are mapped shared and writable when the
//    tree stands still are copied again in any case.
//  - The clock can be stepped back. The kernel tells of that (timerfd_create(2),
//    TFD_TIMER_CANCEL_ON_SET), and everything is copied again.
// The proof does not hold on file systems that do not track dirty pages (tmpfs) or take their times
// from elsewhere (network file systems): see can_tell_changes().
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "os/fd.h"
#include "tree/scratch.h"

namespace still::tree {

// Switched off only by tests, which must then see the fault.
struct Precautions {
  bool write_back = true;
  bool copy_racy_again = true;
};

// What one pass found.
struct PassTotals {
  uint64_t entries = 0;        // of the tree, the root directory not counted
  uint64_t changed = 0;        // names that were made, refreshed or removed, and directories
  uint64_t changed_bytes = 0;  // data of the files among them: read, and written where it differed
};

// Whether an unchanged status proves that a file on this file system has not changed.
bool can_tell_changes(const Fd& directory);
// The same of a kind of file system, as statfs(2) has it.
bool tells_changes(long file_system);

class Mirror {
 public:
  // source: the tree. target: an empty private directory, of any file system; the copy, with
  // everything that copy_tree keeps. spare: another one beside it, for what is removed or moved;
  // afterwards it holds rubbish. Nothing is copied yet.
  // scratch: what the dump does to the tree itself. stop: once it is requested, follow() and
  // finish() throw Error(kInterrupted) as soon as they can.
  Mirror(const Fd& source, const Fd& target, const Fd& spare, Precautions precautions,
         Scratch scratch = {}, std::stop_token stop = {});
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

  // Brings the copy up to date with a tree that goes on changing. Entries that vanish or change
  // meanwhile are left for the next pass. Throws Error(kSystem) naming the entry.
  PassTotals follow();

  // The last pass, over a tree that stands still since frozen_at (wall clock): afterwards the copy
  // is the tree. suspects: numbers of inodes that are copied again whatever their status says.
  PassTotals finish(const std::set<ino_t>& suspects, std::chrono::nanoseconds frozen_at);

  // After finish(): the flags of inodes (os/inode_flags.h) that the tree's entries have, by path,
  // "" being the root. The copy has none, or it could not be brought up to date.
  std::map<std::string, uint32_t> inode_flags() const;

  // After finish(): looks at everything once more and remembers what is not as it was copied. stop:
  // gives up, without a result, when that is requested.
  void check(unsigned threads, const std::stop_token& stop = {});

  // Paths of entries that changed although the tree stood still until then (coarse_now() at its
  // end): what finish() and check() saw, and what has a ctime of that time now. Each once, sorted.
  // A change after check() is not in the copy and does it no harm; if the tree's owner has changed
  // the same entry since, it is not seen.
  std::vector<std::string> foreign_changes(std::chrono::nanoseconds until) const;

  // Bytes copied or compared so far; may be asked from another thread meanwhile.
  uint64_t copied_bytes() const;

  // Whether contents are cloned, not copied: the file system of source and target shares blocks.
  bool clones() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace still::tree
