// The runtime's checkpoint as a command, and what CRIU is told by files.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "cgroup/borrowed.h"
#include "cut/observer.h"
#include "journal/entry.h"
#include "memory/self_test.h"
#include "oci/runtime.h"
#include "os/process.h"
#include "subject/subject.h"

namespace still::cut {

// A cgroup for the time of the dump, for a container that has none of its own; null for others.
// cgroup/borrowed.h says why CRIU must not do without. subject must outlive it.
std::unique_ptr<cgroup::BorrowedCgroup> lend_cgroup(const subject::Subject& subject);
// What undoing that needs to know, if it will be done.
void note_lent_cgroup(journal::Entry& entry, const subject::Subject& subject);

struct DumpSettings {
  bool leave_running = false;
  bool tcp_established = false;
  bool file_locks = false;
  std::filesystem::path images;
  std::filesystem::path work;                    // for CRIU's log and statistics
  const cgroup::BorrowedCgroup* lent = nullptr;  // from lend_cgroup
  // The images are to be without memory. With a parent image: they become a difference to those in
  // `parent` beside them.
  std::optional<memory::Skeleton> skeleton{};
  // Where CRIU waits before it touches the container (criu/gate.h); empty: nowhere.
  std::filesystem::path gate{};
  // The socket of the gate where CRIU asks whether it may end the container (criu/question.h);
  // empty: it does not ask. Not with a skeleton.
  std::filesystem::path question{};
};
// Writes the container's CRIU configuration files.
Command dump_command(const subject::Subject& subject, const oci::OciRuntime& runtime,
                     const DumpSettings& settings);

// Throws Error(kRuntime) unless the images are complete: the runtime may say that all is well.
void require_images(const std::filesystem::path& images);

// Throws Error(kConflict) if they hold TCP connections: one may have come to its end after it was
// looked for, and CRIU takes such a one without the flag.
void require_no_connections(const std::filesystem::path& images);

// Has the calls in which threads slept begin anew in the copy (criu/calls.h). A failure is a
// warning: the images are complete without it.
void begin_calls_anew(const std::filesystem::path& images, Observer& observer);

}  // namespace still::cut
