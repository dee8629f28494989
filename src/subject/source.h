// Where containers come from: what an engine has to offer so that its containers can be
// checkpointed.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/runtime.h"
#include "subject/subject.h"

namespace still::subject {

// What a checkpoint that ends a container needs of it.
class Endable {
 public:
  Endable() = default;
  Endable(const Endable&) = delete;
  Endable& operator=(const Endable&) = delete;
  virtual ~Endable() = default;

  // Where its images stay.
  virtual std::filesystem::path stored_images() const = 0;
  // Where a tree is read from when the container has ended.
  virtual std::filesystem::path tree_afterwards(const Tree& tree) const = 0;
  // Whether CRIU has written complete images there and ended it, whatever became of the runtime.
  virtual bool has_ended_in(const std::filesystem::path& images) const = 0;
  // CRIU has ended it: takes the directory of its images, durably, and records that.
  virtual void keep_checkpoint(const std::filesystem::path& images,
                               const std::filesystem::path& log) = 0;
  virtual void remove() = 0;
};

// One container, held: nobody who asks Still changes anything of it for as long as the object
// lives, but while unlocked() works. An engine that knows nothing of Still may: confirm().
class Held {
 public:
  Held() = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  virtual ~Held() = default;

  // Trees, mounts and members are there of a running container only.
  virtual const Subject& subject() const = 0;
  virtual bool is_running() const = 0;  // or paused
  virtual std::unique_ptr<oci::OciRuntime> runtime() const = 0;
  // Null for one that only live checkpoints are taken of (Subject::own_checkpoint): its engine
  // would take the end for a crash.
  virtual Endable* endable() = 0;

  // Lets others at the container while `work` runs. Throws Error(kNotFound) if it is gone then.
  virtual void unlocked(const std::function<void()>& work) = 0;

  // --- live checkpoints --------------------------------------------------------------------------
  // Where the archive of one goes that is not exported; empty: it has to be.
  virtual std::filesystem::path stored_archive() const = 0;
  // To be called when the container runs again. Throws Error(kConflict) if its engine has changed
  // it since it was held. What the engine has done by then is as the engine believes it to be: a
  // container that it paused meanwhile is paused.
  virtual void confirm() = 0;
  // One was taken; log: CRIU's, if it was kept.
  virtual void record_checkpoint(const std::filesystem::path& archive,
                                 const std::filesystem::path& log) = 0;
};

// A container, and those that write to the same volumes and are frozen with it.
struct Group {
  std::unique_ptr<Held> container;
  std::vector<std::unique_ptr<Held>> sharers;  // running
};

// A container in a list: plain data.
struct Listed {
  std::string engine;  // "still", "podman"
  std::string id;
  std::string name;
  std::string image;
  std::string command;
  std::string status;  // "running", "paused", "exited", "created"
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  // The id of a container; nullopt: the engine knows none of that name, id or unique prefix of an
  // id. Throws Error(kUsage) for a prefix of several, Error(kRuntime) for an engine that does not
  // answer.
  virtual std::optional<std::string> find(const std::string& reference) = 0;
  // Those that run or are paused. Throws Error(kRuntime).
  virtual std::vector<Listed> running() = 0;

  // reference: name, id or unique prefix of an id. Waits until all are held, in an order in which
  // two callers cannot wait for each other. with_sharers false: there are none. Throws
  // Error(kNotFound), Error(kUsage), Error(kRuntime), and Error(kUnsupported) for one of which a
  // checkpoint would not have what it has to have.
  virtual Group hold(const std::string& reference, bool with_sharers) = 0;
};

}  // namespace still::subject
