// Capturing a tree as it is at one instant, so that the instant is short: most of the work is done
// before, while the tree still changes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "os/fd.h"
#include "tree/method.h"
#include "tree/mirror.h"

namespace still::tree {

// Where a capture goes: two empty private directories beside each other, on the file system of the
// store.
struct CapturePlace {
  Fd parent;         // the directory of both
  std::string name;  // of the captured tree in it; a snapshot takes the directory's place
  std::string spare;
};

class Capture {
 public:
  // method: the one that a survey has chosen (tree/survey.h). Where it does not work after all the
  // next best is taken: method() says which it was. stop: once it is requested, prepare() and cut()
  // throw Error(kInterrupted) as soon as they can.
  static std::unique_ptr<Capture> begin(Method method, const Fd& source, const CapturePlace& place,
                                        Precautions precautions, const Scratch& scratch = {},
                                        const std::stop_token& stop = {});
  virtual ~Capture() = default;

  // One round of preparation, while the tree changes. Nothing is prepared for trees whose changes
  // cannot be told: they are copied as a whole in the cut.
  virtual PassTotals prepare() = 0;
  // Whether another round can find less than the last one.
  virtual bool gains_by_rounds() const = 0;
  // The cut: the tree stands still since frozen_at (wall clock). suspects: see Mirror::finish.
  virtual PassTotals cut(const std::set<ino_t>& suspects, std::chrono::nanoseconds frozen_at) = 0;
  // After the cut, the tree still standing still: what has changed since? May be repeated. stop:
  // gives up when that is requested.
  virtual void check(unsigned threads, const std::stop_token& stop = {}) = 0;
  // Paths that somebody outside changed while the tree stood still, until then (a coarse_now() of
  // the last moment). Called when all is over: may take its time.
  virtual std::vector<std::string> foreign_changes(std::chrono::nanoseconds until) const = 0;
  // As Mirror::inode_flags(), after the cut.
  virtual std::map<std::string, uint32_t> inode_flags() const = 0;
  virtual Method method() const = 0;
  // Bytes of files that have been copied so far; may be asked from another thread meanwhile.
  virtual uint64_t copied_bytes() const = 0;

 protected:
  Capture() = default;
};

}  // namespace still::tree
