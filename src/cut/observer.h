// What is told how a checkpoint or restore goes on: the progress line, JSON events, tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace still::cut {

enum class Step {
  kPlan,
  kPreCopy,  // the trees, while the container runs
  kFreeze,   // asking for the freeze until the kernel has confirmed it
  kDump,     // the OCI runtime's checkpoint
  kCapture,  // what changed in the trees since, beside the dump
  kThaw,
  kMerge,    // bringing the memory into the images
  kArchive,  // writing, syncing and renaming the archive
  kEncrypt,  // encrypting the archive
  kVerify,   // reading and verifying an archive, nothing else
  kUnpack,   // restore: reading and verifying the archive
  kPrepare,  // restore: root file system, volumes
  kRestore,  // restore: the OCI runtime
};

// "plan", "freeze", ...
std::string_view to_string(Step step);

// Called from one thread at a time, not always the same. Implementations must be quick and must not
// throw: some steps run while the container is frozen.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void step_started(Step) {}
  // total_bytes is zero when it is not known.
  virtual void progress(Step, uint64_t /*done_bytes*/, uint64_t /*total_bytes*/) {}
  virtual void step_finished(Step, std::chrono::nanoseconds /*took*/) {}
  virtual void warning(const std::string& /*message*/) {}
};

// Reports a step for as long as it lives.
class StepScope {
 public:
  StepScope(Observer& observer, Step step);
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;
  ~StepScope();

 private:
  Observer& observer_;
  const Step step_;
  const std::chrono::steady_clock::time_point start_;
};

}  // namespace still::cut
