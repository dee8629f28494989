#include "checkpoint/refusals.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "archive/encryption.h"
#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "checkpoint/address_space.h"
#include "checkpoint/bind_sources.h"
#include "checkpoint/connections.h"
#include "checkpoint/descriptors.h"
#include "checkpoint/own_rules.h"
#include "checkpoint/threads.h"
#include "checkpoint/trial.h"
#include "criu/criu.h"
#include "criu/question.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process_status.h"
#include "os/walk.h"

namespace still::checkpoint {
namespace {

using subject::Held;

// --- asked
// -----------------------------------------------------------------------------------------

void live_ones_only(const Held& container, const CheckpointOptions& options) {
  const subject::Subject& subject = container.subject();
  if (options.leave_running || subject.own_checkpoint.empty()) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("container {} is {}'s, which would take its end for a crash", subject.name,
                        subject.engine),
              formatted("add --leave-running, or use \"{}\"", subject.own_checkpoint));
}

void has_no_place(const Held& container, const CheckpointOptions& options) {
  if (options.export_file || !options.leave_running || !container.stored_archive().empty()) return;
  throw Error(ErrorKind::kUsage,
              formatted("container {} is {}'s, and the store has no place for its checkpoint",
                        container.subject().name, container.subject().engine),
              "add --export FILE");
}

void needs_export(const Held&, const CheckpointOptions& options) {
  if (options.export_file || (!options.ignore_rootfs && !options.ignore_volumes)) return;
  throw Error(ErrorKind::kUsage, "--ignore-rootfs and --ignore-volumes need --export",
              "add --export FILE");
}

void would_be_lost(const Held& container, const CheckpointOptions& options) {
  const bool is_lost = container.subject().is_removed_when_done && !options.leave_running;
  if (options.export_file || !is_lost) return;
  throw Error(ErrorKind::kUsage,
              "container " + container.subject().name + " is removed when it ends (--rm)",
              "add --export FILE, or the checkpoint would be lost with it");
}

void is_about_live_ones(const Held&, const CheckpointOptions& options) {
  const auto refuse = [&](bool used, const std::string& flag) {
    if (!used || options.leave_running) return;
    throw Error(ErrorKind::kUsage, flag + " is about live checkpoints",
                "add --leave-running, or leave " + flag + " out");
  };
  refuse(options.max_pause.has_value(), "--max-pause");
  refuse(options.require_freeze, "--require-freeze");
}

void unknown_recipients(const Held&, const CheckpointOptions& options) {
  archive::check_recipients(options.recipients);
}

void not_running(const Held& container, const CheckpointOptions&) {
  if (container.is_running()) return;
  const subject::Subject& subject = container.subject();
  throw Error(ErrorKind::kConflict, "container " + subject.name + " is not running",
              subject.engine == "still" ? "start it first: still start " + subject.name
                                        : "start it first, by " + subject.engine);
}

void no_criu(const Held&, const CheckpointOptions&) { criu::criu_version(); }

constexpr std::array kAsked = {live_ones_only,     has_no_place,       needs_export, would_be_lost,
                               is_about_live_ones, unknown_recipients, not_running,  no_criu};

// --- planned
// ---------------------------------------------------------------------------------------

void impossible_target(const Held&, const Plan& plan) {
  if (!plan.writes_archive) return;
  const std::filesystem::path& target = plan.target;
  const auto directory = target.has_parent_path() ? target.parent_path() : ".";
  if (!std::filesystem::is_directory(directory)) {
    throw Error(ErrorKind::kNotFound,
                "the directory " + printable(directory.native()) + " does not exist",
                "make it first, or export to another place");
  }
  if (std::filesystem::is_directory(target)) {
    throw Error(ErrorKind::kConflict, printable(target.native()) + " is a directory",
                "name a file in it");
  }
  if (std::filesystem::is_symlink(target)) {
    throw Error(ErrorKind::kConflict, printable(target.native()) + " is a symbolic link",
                "name the file that it leads to, or remove it");
  }
  if (path_exists(target) && !std::filesystem::is_regular_file(target)) {
    throw Error(ErrorKind::kConflict, printable(target.native()) + " is not a regular file",
                "export to another name");
  }
  if (::access(directory.c_str(), W_OK) != 0) {
    throw Error(ErrorKind::kUsage, "cannot write to " + printable(directory.native()),
                "export to another place");
  }
}

void no_freezer(const Held& container, const Plan& plan) {
  if (plan.freezing != Freezing::kNone || !plan.options.require_freeze) return;
  throw Error(ErrorKind::kUnsupported,
              "container " + container.subject().name + " has no cgroup of its own to be frozen by",
              "leave --require-freeze out for a checkpoint that is not certified consistent");
}

// A session may write to files until the container's end, and so after CRIU is done with the
// memory. In a live checkpoint it stands still with the rest.
void sessions_beside_the_end(const Held& container, const Plan& plan) {
  if (plan.options.leave_running || plan.sessions.empty()) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("process {} was brought into container {} by exec: it would be ended "
                        "without being in the checkpoint",
                        plan.sessions[0], container.subject().name),
              "end it first, or take a live checkpoint (--leave-running), which leaves it alone");
}

// At what comes and goes.
constexpr int kLooks = 20;
constexpr std::chrono::milliseconds kBetweenLooks{10};

// All of them: CRIU stops sessions, too, while it dumps the others.
std::vector<pid_t> all_of(const Held& container) {
  return subject::processes_of(container.subject());
}
std::vector<pid_t> dumped_of(const Held& container) {
  return subject::divided_processes_of(container.subject()).tree;
}

bool has_long_path(const Fd& directory, const std::string& link) try {
  read_link_at(directory, link);
  return false;
} catch (const Error& error) {
  return error.error_number() == ENAMETOOLONG;
}

// What the process has of files with such a path; empty: nothing.
std::string behind_long_path(pid_t pid) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kOwn = {
      {{"cwd", "its working directory"}, {"root", "its root directory"}, {"exe", "its program"}}};
  constexpr std::array<std::pair<const char*, const char*>, 2> kLists = {
      {{"fd", "descriptor "}, {"map_files", "the mapping "}}};
  const auto process = open_if_exists(formatted("/proc/{}", pid), O_RDONLY | O_DIRECTORY);
  if (!process) return {};
  for (const auto& [link, words] : kOwn) {
    if (has_long_path(*process, link)) return words;
  }
  for (const auto& [list, words] : kLists) {
    const auto directory = open_at_if_exists(*process, list, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;
    for (const std::string& link : list_names(*directory)) {
      if (has_long_path(*directory, link)) return words + link;
    }
  }
  return {};
}

// Directories can be nested without end, by going to each before the next one is made. A tree is
// captured however deep it is; but CRIU knows open files by their paths.
void long_paths(const Held& container, const Plan&) {
  for (const pid_t pid : dumped_of(container)) {
    const std::string what = behind_long_path(pid);
    if (what.empty()) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("the path of {} of process {} ({}) has more than 4095 bytes, and CRIU "
                          "cannot dump it",
                          what, pid, subject::command_of(pid)),
                "have the program close it, or go to another directory");
  }
}

void undumpable_descriptors(const Held& container, const Plan&) {
  // CRIU opens files of the container whoever of it answers.
  auto found = find_permission_events(all_of(container));
  if (!found) found = find_undumpable(dumped_of(container));
  if (!found) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("process {} ({}) uses {}, which CRIU cannot dump", found->process,
                        subject::command_of(found->process), found->words),
              "switch it off in the program's configuration");
}

// A live checkpoint reads files while their owner runs.
void broken_leases(const Held& container, const Plan& plan) {
  if (!plan.options.leave_running) return;
  const auto found = find_broken_lease(all_of(container));
  if (!found) return;
  throw Error(
      ErrorKind::kUnsupported,
      formatted("process {} ({}) has a write lease on {} (fcntl(2), F_SETLEASE), which reading the "
                "file for the copy would break",
                found->process, subject::command_of(found->process), printable(found->target)),
      "switch leases off in the program's configuration");
}

// Mostly somebody reads it in a moment.
void waiting_terminals(const Held& container, const Plan&) {
  std::optional<Descriptor> found;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetweenLooks);
    found = find_waiting_terminal(dumped_of(container));
    if (!found) return;
  }
  throw Error(
      ErrorKind::kUnsupported,
      formatted("something waits in {} (descriptor {} of process {}, {}) to be read, and would be "
                "changed by reading it for the copy",
                printable(found->target), found->number, found->process,
                subject::command_of(found->process)),
      "try again when the program has read it");
}

// CRIU's code is not made for a shadow stack, and a copy would be without the others.
void rules_of_its_own(const Held& container, const Plan&) {
  for (const pid_t pid : subject::processes_of(container.subject())) {
    const auto status = read_file_if_exists(formatted("/proc/{}/status", pid));
    const auto personality = read_file_if_exists(formatted("/proc/{}/personality", pid));
    const auto stat = process_stat(pid);
    const bool lives = stat && !stat->has_ended();
    const std::string rule = rule_of_its_own(status.value_or(""), personality.value_or(""),
                                             lives ? stat->exit_signal : SIGCHLD);
    if (rule.empty()) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} ({}) has {}, which no checkpoint brings back", pid,
                          subject::command_of(pid), rule),
                "start the program without");
  }
}

void separate_tasks(const Held& container, const Plan&) {
  const auto found = find_separate(dumped_of(container));
  if (!found) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("task {} ({}) has {} of its own, which no checkpoint brings back",
                        found->task, subject::command_of(found->task), found->words),
              "have the program work without, or end it first");
}

void unfit_processes(const Held& container, const Plan&) {
  const auto found = find_unfit(dumped_of(container));
  if (!found) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("process {} ({}) {}: CRIU cannot dump it", found->process,
                        subject::command_of(found->process), found->words),
              "change the program's configuration, or its limits");
}

void nested_overlays(const Held& container, const Plan&) {
  for (const pid_t pid : dumped_of(container)) {
    if (!is_on_nested_overlay(pid)) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("the program of process {} ({}) is on an overlay that has another "
                          "overlay as a layer, and CRIU cannot dump that",
                          pid, subject::command_of(pid)),
                "make the container from an image, or from a directory on another file system");
  }
}

// Its own root is one, and what the engine binds can be part of one.
bool is_own_overlay(const MountEntry& mount, const subject::Subject& subject) {
  return mount.type == "overlay" && mount.root == "/" && mount.target != "/" &&
         !std::ranges::contains(subject.binds, mount.target, [](const subject::BindMount& bind) {
           return std::filesystem::path(bind.place);
         });
}

// The first name of it; empty: none.
std::string message_queue_in(const MountEntry& mount, const Fd& root) {
  if (mount.type != "mqueue") return {};
  const auto directory =
      open_at_if_exists(root, mount.target.relative_path().native(), O_RDONLY | O_DIRECTORY);
  const auto names = directory ? list_names(*directory, 1) : std::vector<std::string>();
  return names.empty() ? "" : names.front();
}

// CRIU dumps overlays, and cannot mount them again; it does not dump message queues.
void mounts_within(const Held& container, const Plan&) {
  const subject::Subject& subject = container.subject();
  const auto list = read_file_if_exists(formatted("/proc/{}/mountinfo", subject.init.pid));
  const auto root =
      open_if_exists(formatted("/proc/{}/root", subject.init.pid), O_PATH | O_DIRECTORY);
  if (!list || !root) return;  // it has ended
  for (const MountEntry& mount : parse_mountinfo(*list)) {
    if (is_own_overlay(mount, subject)) {
      throw Error(ErrorKind::kUnsupported,
                  formatted("container {} has mounted an overlay at {}, which CRIU cannot restore",
                            subject.name, printable(mount.target.native())),
                  "have it unmounted first");
    }
    const std::string queue = message_queue_in(mount, *root);
    if (queue.empty()) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("container {} has the POSIX message queue /{}, which CRIU cannot dump",
                          subject.name, printable(queue)),
                "have its programs remove it first (mq_unlink(3))");
  }
}

// ptrace(2) waits for ever for a stopped process that cgroup v1 has frozen (ptrace_attach() in the
// kernel waits for a stop of another kind), and CRIU with it.
void stopped_processes(const Held& container, const Plan& plan) {
  const bool stands_frozen =
      plan.freezing == Freezing::kFreeze || plan.freezing == Freezing::kAlreadyFrozen;
  if (!stands_frozen || plan.cgroup_version != cgroup::to_string(cgroup::Version::kV1)) return;
  for (const pid_t pid : all_of(container)) {
    if (!process_status_field(pid, "State").value_or("").starts_with("T")) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} ({}) is stopped, and CRIU cannot dump such a one while "
                          "cgroup v1 freezes it",
                          pid, subject::command_of(pid)),
                "let it go on first (SIGCONT)");
  }
}

// A process has one tracer, and CRIU would have to be it.
void traced_processes(const Held& container, const Plan&) {
  for (const pid_t pid : all_of(container)) {
    const pid_t tracer = tracer_of(pid);
    if (tracer == 0) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} ({}) is traced by process {}, and CRIU cannot dump it then",
                          pid, subject::command_of(pid), tracer),
                "end the debugger first");
  }
}

void ended_main_threads(const Held& container, const Plan&) {
  for (const pid_t pid : dumped_of(container)) {
    const auto stat = process_stat(pid);
    if (!stat || !stat->main_thread_has_ended()) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("the main thread of process {} ({}) has ended while others go on, and "
                          "CRIU cannot dump that",
                          pid, subject::command_of(pid)),
                "stop the container instead");
  }
}

// CRIU makes a terminal anew for the session that it controls, and that one is left out.
void terminals_of_sessions(const Held& container, const Plan&) {
  const auto processes = subject::divided_processes_of(container.subject());
  for (const pid_t pid : processes.tree) {
    const auto stat = process_stat(pid);
    const bool is_shared =
        stat && stat->terminal != 0 && std::ranges::contains(processes.sessions, stat->session);
    if (!is_shared) continue;
    throw Error(
        ErrorKind::kUnsupported,
        formatted("process {} ({}) was left behind by process {} ({}), which exec brought "
                  "in, and has its terminal: CRIU cannot dump that",
                  pid, subject::command_of(pid), stat->session, subject::command_of(stat->session)),
        "end one of them, or start it with setsid and without the terminal");
  }
}

// CRIU takes no connection without the flag, and one that is over it takes, but does not restore.
void connections(const Held& container, const Plan& plan) {
  if (plan.options.tcp_established) return;
  const TcpSockets sockets = tcp_sockets_of(dumped_of(container));
  if (sockets.connections.empty()) return;
  const TcpSocket& one = sockets.connections.front();
  throw Error(
      ErrorKind::kUnsupported,
      formatted("process {} ({}) has a TCP connection open, {} to {} ({})", one.process,
                subject::command_of(one.process), one.local, one.peer,
                one.state == "CLOSE" ? "it is over, but the socket was not closed" : one.state),
      "add --tcp-established, here and at the restore");
}

// CRIU cannot take connections out of the queue of a socket that listens. Mostly they are there for
// a moment.
void waiting_connections(const Held& container, const Plan&) {
  TcpSockets sockets;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetweenLooks);
    sockets = tcp_sockets_of(dumped_of(container));
    if (sockets.crowded.empty()) return;
  }
  const TcpSocket& one = sockets.crowded.front();
  throw Error(
      ErrorKind::kUnsupported,
      formatted("process {} ({}) has not accepted {} of the TCP connections to {}, and CRIU "
                "cannot dump those",
                one.process, subject::command_of(one.process), one.waiting, one.local),
      "try again when it has accepted them, or have it listen no more");
}

// CRIU cannot dump one end of a connection without the other, and those are left out.
void connections_with_sessions(const Held& container, const Plan&) {
  const auto processes = subject::divided_processes_of(container.subject());
  const auto found = unix_connection_between(processes.tree, processes.sessions);
  if (!found) return;
  throw Error(
      ErrorKind::kUnsupported,
      formatted("process {} ({}), which exec brought in, has a unix connection to process {} "
                "({}), and CRIU cannot dump one end of it",
                found->other, subject::command_of(found->other), found->process,
                subject::command_of(found->process)),
      "end one of them first");
}

void changed_sources(const Held& container, const Plan& plan) {
  refuse_changed_sources(container.subject(), plan.options.leave_running);
}

void impossible_trials(const Held& container, const Plan& plan) {
  if (!plan.options.verify_restore) return;
  const subject::Subject& subject = container.subject();
  const std::string reason = why_not_tried(subject);
  if (!plan.options.leave_running && criu::question_program().empty()) {
    throw Error(ErrorKind::kUnsupported,
                "CRIU would not ask before it ends the container: still_question is not installed",
                "install all of Still");
  }
  if (reason.empty()) return;
  throw Error(
      ErrorKind::kUnsupported,
      formatted("no restore of container {} can be tried beside it: it {}", subject.name, reason),
      "leave --verify-restore out");
}

constexpr std::array kPlanned = {impossible_target,
                                 no_freezer,
                                 sessions_beside_the_end,
                                 traced_processes,
                                 undumpable_descriptors,
                                 broken_leases,
                                 waiting_terminals,
                                 long_paths,
                                 stopped_processes,
                                 ended_main_threads,
                                 terminals_of_sessions,
                                 rules_of_its_own,
                                 separate_tasks,
                                 unfit_processes,
                                 nested_overlays,
                                 mounts_within,
                                 connections,
                                 waiting_connections,
                                 connections_with_sessions,
                                 changed_sources,
                                 impossible_trials};

// --- complete
// --------------------------------------------------------------------------------------

void another_way(const Plan& plan, const store::Layout&) {
  const std::string because = cut::why_by_criu(plan.memory);
  const bool is_asked = plan.options.memory_cut == MemoryWish::kFork ||
                        plan.options.memory_cut == MemoryWish::kProtect;
  if (!is_asked || because.empty()) return;
  throw Error(ErrorKind::kUnsupported, "the memory cannot be cut in that way: " + because,
              "leave --memory-cut out");
}

void no_space(const Plan& plan, const store::Layout& layout) {
  uint64_t needed = stages_in_memory(plan) ? 0 : plan.memory_bytes;
  needed += 2 * plan.written.copied_before_bytes;  // a copy, and in the images
  if (std::holds_alternative<cut::ByProtection>(plan.memory))
    needed += plan.memory_bytes;     // likewise
  if (plan.options.leave_running) {  // otherwise the archive is written from the trees themselves
    for (const cut::TreePlan& tree : plan.trees) {
      needed += takes_space(tree.found.method) ? tree.found.bytes : 0;
    }
  }
  const uint64_t available = free_space(layout.staging());
  if (needed <= available) return;
  throw Error(ErrorKind::kSystem,
              formatted("the checkpoint needs about {} below {}, and {} are free",
                        human_size(needed), layout.root.native(), human_size(available)),
              "make room, or use another --root");
}

// The archive would not have what is in there.
void other_file_systems(const Plan& plan, const store::Layout&) {
  if (!plan.writes_archive) return;
  for (const cut::TreePlan& tree : plan.trees) {
    if (tree.found.other_file_system.empty()) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("{}: {} is a file system of its own, mounted there or a subvolume, and "
                          "would not be captured",
                          name_of(tree.tree), printable(tree.found.other_file_system)),
                "unmount it, make a directory of it, or leave volumes out (--ignore-volumes)");
  }
}

constexpr std::array kComplete = {another_way, other_file_systems, no_space};

}  // namespace

void refuse_asked(const Held& container, const CheckpointOptions& options) {
  for (const auto& refuse : kAsked) refuse(container, options);
}

void refuse_planned(const Held& container, const Plan& plan) {
  for (const auto& refuse : kPlanned) refuse(container, plan);
}

void refuse_complete(const Plan& plan, const store::Layout& layout) {
  for (const auto& refuse : kComplete) refuse(plan, layout);
}

}  // namespace still::checkpoint
