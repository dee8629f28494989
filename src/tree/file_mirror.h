// A copy of one file that is open, brought up to date while the file changes, and a last time while
// it stands still. What proves that it has not changed meanwhile is what mirror.h says.
#pragma once

#include "os/fd.h"
#include "tree/entry.h"
#include "tree/proof.h"

namespace still::tree {

class FileMirror {
 public:
  // source: a regular file on a file system that can tell changes (mirror.h), or on an overlay over
  // one. target: an empty file. Nothing is copied yet.
  FileMirror(Fd source, Fd target) : source_(std::move(source)), target_(std::move(target)) {}

  // Brings the copy up to date with a file that goes on changing. Throws Error(kSystem).
  void follow(CopyMonitor& monitor);
  // The last time: afterwards the copy is the file. trust: whether an unchanged status proves
  // something; otherwise it is compared as a whole.
  void finish(bool trust, unsigned threads, CopyMonitor& monitor);

  const Fd& copy() const { return target_; }

 private:
  void update(unsigned threads, CopyMonitor& monitor);

  Fd source_, target_;
  Proof proof_;
  bool is_new_ = true;
};

}  // namespace still::tree
