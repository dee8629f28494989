// A container of another engine, held for a live checkpoint.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sources/foreign/facts.h"
#include "sources/foreign/room.h"
#include "store/lock.h"
#include "subject/source.h"

namespace still::sources {

// A volume that the engine has a name for, and where a container has it.
struct NamedVolume {
  std::string name;
  std::filesystem::path source;
  std::string place;
};

// What an engine says of one of its containers: plain data.
struct Statement {
  std::string engine;  // "podman"
  std::string id;
  std::string name;
  std::string image, image_id;
  std::string created;  // when, in the engine's words
  std::string status;   // "running", "paused", or another one in the engine's words
  std::string since;    // when it was started, in the engine's words; differs from start to start
  pid_t pid = 0;
  std::string runtime;                 // OCI runtime, a name or a path
  std::filesystem::path runtime_root;  // that it is called with
  std::filesystem::path bundle;        // has config.json
  std::optional<Layers> layers;        // nullopt: as the kernel names them
  std::vector<NamedVolume> volumes;
  std::filesystem::path log;
  // As Subject's. config_dump empty: its engine has none in libpod's keys (archived.h).
  std::string config_dump, network_status;
  std::string own_checkpoint;  // the same
};

bool is_running(const Statement& statement);  // or paused

class ForeignHeld final : public subject::Held {
 public:
  // What the engine says now; nullopt: it knows the container no more.
  using Ask = std::function<std::optional<Statement>()>;

  // ask is called for the first time here, the lock being held. Throws Error(kNotFound) if the
  // container or its runtime's state is gone; Error(kUnsupported) for one that is not on a plain
  // overlay, has a user namespace, none of its own for processes, or no cgroup of its own.
  ForeignHeld(const store::Layout& layout, store::ContainerLock lock, Ask ask);
  ForeignHeld(const ForeignHeld&) = delete;
  ForeignHeld& operator=(const ForeignHeld&) = delete;
  ~ForeignHeld() override;

  const subject::Subject& subject() const override { return subject_; }
  bool is_running() const override { return sources::is_running(said_); }
  std::unique_ptr<oci::OciRuntime> runtime() const override;
  subject::Endable* endable() override { return nullptr; }
  // Other checkpoints of it wait.
  void unlocked(const std::function<void()>& work) override { work(); }
  std::filesystem::path stored_archive() const override { return {}; }
  void confirm() override;
  // The archive is all that there is of it.
  void record_checkpoint(const std::filesystem::path& /*archive*/,
                         const std::filesystem::path& /*log*/) override {}

  const Statement& said() const { return said_; }

 private:
  void pause_again() const;

  store::ContainerLock lock_;
  const Ask ask_;
  const Statement said_;
  std::optional<Room> room_;  // of one that runs
  subject::Subject subject_;
  bool is_confirmed_ = false;
};

// Locks all of them in the order of their ids, and holds them: the first one, then those that run
// then. with_id: what asks for the container of an id.
subject::Group hold_group(const store::Layout& layout, const std::string& id,
                          const std::vector<std::string>& sharers,
                          const std::function<ForeignHeld::Ask(const std::string& id)>& with_id);

}  // namespace still::sources
