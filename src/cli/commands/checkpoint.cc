// still container checkpoint

#include "checkpoint/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "base/format.h"
#include "base/text.h"
#include "checkpoint/estimate.h"
#include "cli/app.h"
#include "cli/flags/engine_flags.h"
#include "cli/flags/not_yet.h"
#include "cli/flags/selection.h"
#include "cli/help.h"
#include "cli/output/checkpoint_summary.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/plan_view.h"
#include "cli/output/progress.h"
#include "cli/output/standard_archive.h"
#include "sources/engines.h"

namespace still::cli {
namespace {

struct CheckpointFlags {
  ContainerArguments containers;
  EngineFlags engine;
  std::optional<std::string> export_file;
  std::optional<std::string> compress;
  std::vector<std::string> encrypt_to;
  std::optional<std::string> memory_staging;
  std::optional<std::string> memory_cut;
  std::optional<std::string> memory_headroom;
  std::optional<std::string> freeze_timeout;
  std::optional<std::string> runtime_timeout;
  std::optional<std::string> max_pause;
  checkpoint::CheckpointOptions options;
  bool print_stats = false;
  bool dry_run = false;
  std::optional<std::string> format;  // of a dry run

  bool to_standard_output() const { return export_file == kStandard; }
};

int64_t microseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

checkpoint::MemoryWish parse_memory_wish(const std::string& text) {
  using checkpoint::MemoryWish;
  static const std::map<std::string, MemoryWish> kWays = {{"auto", MemoryWish::kAuto},
                                                          {"protect", MemoryWish::kProtect},
                                                          {"fork", MemoryWish::kFork},
                                                          {"stock", MemoryWish::kStock}};
  if (const auto way = kWays.find(text); way != kWays.end()) return way->second;
  throw Error(ErrorKind::kUsage, "--memory-cut knows no \"" + printable(text) + "\"",
              "write auto, protect, fork or stock");
}

// Flags that hold for all containers of the command line.
checkpoint::CheckpointOptions read_options(const CheckpointFlags& flags) {
  checkpoint::CheckpointOptions options = flags.options;
  if (flags.compress && !flags.export_file) {
    throw Error(ErrorKind::kUsage, "--compress needs --export", "add --export FILE");
  }
  if (!flags.encrypt_to.empty() && !flags.export_file) {
    throw Error(ErrorKind::kUsage, "--encrypt-to needs --export", "add --export FILE");
  }
  if (flags.format && !flags.dry_run) {
    throw Error(ErrorKind::kUsage, "--format is about --dry-run", "add --dry-run");
  }
  if (flags.export_file && flags.export_file->empty()) {
    throw Error(ErrorKind::kUsage, "--export names no file", "write --export FILE");
  }
  if (flags.to_standard_output() && !options.leave_running) {
    throw Error(ErrorKind::kUsage,
                "standard output may fail when the container has ended for its checkpoint",
                "name a file, or add --leave-running");
  }
  if (flags.to_standard_output() && flags.print_stats) {
    throw Error(ErrorKind::kUsage, "--print-stats and --export - both write to standard output",
                "name a file, or leave one out");
  }
  if (flags.export_file) options.export_file = *flags.export_file;
  options.recipients = flags.encrypt_to;
  if (flags.compress) options.compression = archive::parse_compression(*flags.compress);
  if (flags.memory_staging) options.memory_staging_bytes = parse_size(*flags.memory_staging);
  if (flags.memory_cut) options.memory_cut = parse_memory_wish(*flags.memory_cut);
  if (flags.memory_headroom) options.memory_headroom_bytes = parse_size(*flags.memory_headroom);
  if (flags.freeze_timeout) options.freeze_timeout = parse_duration(*flags.freeze_timeout);
  if (flags.runtime_timeout) options.runtime_timeout = parse_duration(*flags.runtime_timeout);
  if (flags.max_pause) options.max_pause = parse_duration(*flags.max_pause);
  return options;
}

// Keys as Podman's, times in microseconds.
Json statistics(const std::string& id, const checkpoint::CheckpointResult& result) {
  const cut::Cut& cut = result.cut;
  Json criu = nullptr;
  if (result.criu) {
    criu = {{"freezing_time", result.criu->freezing_time},
            {"frozen_time", result.criu->frozen_time},
            {"memdump_time", result.criu->memdump_time},
            {"memwrite_time", result.criu->memwrite_time},
            {"pages_scanned", result.criu->pages_scanned},
            {"pages_written", result.criu->pages_written}};
  }
  return {{"Id", id},
          {"runtime_checkpoint_duration", microseconds(cut.dump_end - cut.dump_start)},
          {"criu_statistics", criu},
          {"still_statistics",
           {{"consistent", result.consistent},
            {"pause", microseconds(cut.pause())},
            {"freeze", microseconds(cut.frozen - cut.freeze_requested)},
            {"dump", microseconds(cut.dump_end - cut.dump_start)},
            {"capture", microseconds(cut.capture)},
            {"memory_cut", cut::name_of(result.memory_choice)},
            {"memory_cut_stock_because", cut::why_by_criu(result.memory_choice)},
            {"memory_copied_bytes", result.memory.written_bytes},
            {"fork", microseconds(cut.fork)},
            {"capture_after_dump", microseconds(cut.cut_end - cut.dump_end)},
            {"entries_looked_at", result.cut_pass.entries},
            {"entries_changed", result.cut_pass.changed},
            {"bytes_changed", result.cut_pass.changed_bytes},
            {"total", microseconds(result.total)},
            {"archive_bytes", result.archive_bytes}}}};
}

using Selected = sources::Engines::Found;

class Checkpoints {
 public:
  Checkpoints(Context& context, const CheckpointFlags& flags)
      : context_(context), flags_(flags), options_(read_options(flags)) {
    if (!flags.to_standard_output() || flags.dry_run) return;
    output_.emplace(context.host().layout);
    options_.export_file = output_->path();
  }

  void take(const Selected& container) {
    const std::string& id = container.id;
    if (flags_.dry_run) return check(container);
    auto prepared = checkpoint::prepare(*container.source, context_.host(), id, options_);
    const auto result = take(prepared);
    if (output_) {
      output_->send();
    } else if (flags_.print_stats) {
      statistics_.push_back(statistics(id, result));
    } else {
      std::cout << id << "\n";
    }
    if (!flags_.print_stats) say(prepared.plan, result);
  }

  // Nothing where every checkpoint has failed.
  void print_statistics(std::chrono::nanoseconds total, int code) const {
    if (!flags_.print_stats || flags_.dry_run || (code != 0 && statistics_.empty())) return;
    std::cout << pretty({{"podman_checkpoint_duration", microseconds(total)},
                         {"container_statistics", statistics_}});
  }

  // What a dry run found, where it is not told as text.
  void print_found() const {
    if (!flags_.format) return;
    if (*flags_.format == "json") {
      std::cout << pretty(found_);
    } else {
      for (const Json& one : found_) std::cout << format_object(one, *flags_.format);
    }
  }

 private:
  void check(const Selected& container) try {
    const auto prepared =
        checkpoint::prepare(*container.source, context_.host(), container.id, options_);
    checkpoint::require_short_pause(prepared.plan, prepared.estimate);
    if (flags_.format) {
      found_.push_back(plan_json(prepared.plan, prepared.estimate));
    } else {
      std::cout << plan_text(prepared.plan, prepared.estimate);
    }
  } catch (const Error& refusal) {
    if (flags_.format) found_.push_back(refusal_json(container.id, name_of(container), refusal));
    throw;
  }

  // Of containers that are not Still's own only what a plan says of them is known here.
  std::string name_of(const Selected& container) const {
    return container.engine == "still" ? context_.store().find_container(container.id).name : "";
  }

  checkpoint::CheckpointResult take(checkpoint::Prepared& prepared) {
    ProgressLine progress;
    return checkpoint::take(prepared, context_.host(), progress);
  }

  // Scripts read standard error, too, and get no more there than from Podman.
  void say(const checkpoint::Plan& plan, const checkpoint::CheckpointResult& result) const {
    if (::isatty(STDERR_FILENO) != 1) return;
    std::cout.flush();
    std::cerr << checkpoint_summary(plan, result, flags_.export_file.value_or("")) << "\n";
  }

  Context& context_;
  const CheckpointFlags& flags_;
  checkpoint::CheckpointOptions options_;
  std::optional<ArchiveOutput> output_;
  Json statistics_ = Json::array();
  Json found_ = Json::array();
};

// Where no engine is named, --all and --latest are about Still's own.
bool is_about_own(const CheckpointFlags& flags) {
  return flags.engine.engine == "still" || flags.engine.engine == "auto";
}

// With --all only running containers are meant.
std::vector<Selected> selected_of_all(Context& context, sources::Engines& engines,
                                      const CheckpointFlags& flags) {
  std::vector<Selected> containers;
  if (!is_about_own(flags)) {
    if (flags.containers.selection.latest) {
      throw Error(ErrorKind::kUsage, "--latest is about containers of Still's own",
                  "name the container");
    }
    for (const subject::Listed& one : engines.running()) {
      containers.push_back(engines.find(one.id));
    }
    return containers;
  }
  for (const NamedContainer& container : find_containers(context, flags.containers)) {
    const auto status = context.store().find_container(container.id).status;
    if (!flags.containers.selection.all || status == store::ContainerStatus::kRunning) {
      containers.push_back(engines.own(container.id));
    }
  }
  return containers;
}

// Each once, in order of mention.
std::vector<Selected> selected(Context& context, sources::Engines& engines,
                               const CheckpointFlags& flags) {
  const engine::Selection& selection = flags.containers.selection;
  if (selection.references.empty() || selection.all || selection.latest) {
    return selected_of_all(context, engines, flags);
  }
  std::vector<Selected> containers;
  for (const std::string& reference : selection.references) {
    const Selected found = engines.find(reference);
    if (!std::ranges::contains(containers, found.id, &Selected::id)) containers.push_back(found);
  }
  return containers;
}

int run_checkpoint(Context& context, const CheckpointFlags& flags) {
  const auto start = std::chrono::steady_clock::now();
  sources::Engines engines(context.host(), flags.engine.settings());
  const auto containers = selected(context, engines, flags);
  if (flags.export_file && containers.size() > 1) {
    throw Error(ErrorKind::kUsage,
                formatted("--export takes one container and {} are named", containers.size()),
                "checkpoint them one by one");
  }
  Checkpoints checkpoints(context, flags);
  int code = 0;
  for (const Selected& container : containers) {
    if (const int result = attempt([&] { checkpoints.take(container); }); result != 0) {
      code = result;
    }
  }
  checkpoints.print_found();
  checkpoints.print_statistics(std::chrono::steady_clock::now() - start, code);
  return code;
}

void add_capture_flags(CLI::App& command, checkpoint::CheckpointOptions& options) {
  begin_flag_group(command, "What to capture");
  command.add_flag("-R,--leave-running", options.leave_running,
                   "Live checkpoint: the container runs on afterwards");
  command.add_flag("--file-locks", options.file_locks, "Allow processes that hold file locks");
  command.add_flag("--tcp-established", options.tcp_established,
                   "Allow established TCP connections");
  command.add_flag("--ignore-rootfs", options.ignore_rootfs,
                   "Leave changes of the root file system out of the archive");
  command.add_flag("--ignore-volumes", options.ignore_volumes,
                   "Leave named volumes out of the archive");
  command.add_flag("--freeze-sharers,!--no-freeze-sharers", options.freeze_sharers,
                   "Freeze containers that write to the same volumes for the same time (default)");
  command.add_flag("--require-freeze", options.require_freeze,
                   "Fail rather than take a checkpoint that is not certified consistent");
  command.add_flag(
      "--verify-restore", options.verify_restore,
      "Try a restore beside the container, and throw it away: without success a default "
      "checkpoint does not end the container, and a live one is not certified");
}

void add_target_flags(CLI::App& command, CheckpointFlags& flags) {
  begin_flag_group(command, "Where to");
  add_value(command, "-e,--export", flags.export_file,
            "Write the checkpoint to an archive, \"-\" to standard output", "FILE|-");
  add_value(command, "-c,--compress", flags.compress, "Compression of the archive",
            "zstd|gzip|none (default zstd)");
  add_list(command, "--encrypt-to", flags.encrypt_to,
           "Encrypt the archive to this age recipient: a public key, or a file of such",
           "RECIPIENT");
  command.add_flag("-k,--keep", flags.options.keep, "Keep CRIU's log and statistics in the store");
}

void add_memory_flags(CLI::App& command, CheckpointFlags& flags) {
  begin_flag_group(command, "How memory is cut");
  add_value(command, "--memory-cut", flags.memory_cut,
            "How a live checkpoint cuts the memory: copied before the freeze, and what was written "
            "since in it (protect); by forks of the processes (fork); by CRIU as it is (stock); or "
            "by what works and is fastest",
            "auto|protect|fork|stock (default auto)");
  add_value(command, "--memory-headroom", flags.memory_headroom,
            "What the container's limit of memory must leave for a cut by forks: pages that it "
            "changes meanwhile are there twice",
            "SIZE (default 64m)");
  add_value(command, "--memory-staging", flags.memory_staging,
            "Keep the memory image in memory until it is in the archive, if it takes no more than "
            "this",
            "SIZE (default 0: in the store)");
}

void add_waiting_flags(CLI::App& command, CheckpointFlags& flags) {
  begin_flag_group(command, "How long to wait");
  add_value(
      command, "--max-pause", flags.max_pause,
      "Refuse a live checkpoint that is expected to keep the container frozen for longer, and "
      "give it up when it does",
      "DURATION (default: no limit)");
  add_value(command, "--freeze-timeout", flags.freeze_timeout,
            "How long the kernel may take to freeze the container", "DURATION (default 2s)");
  add_value(command, "--runtime-timeout", flags.runtime_timeout,
            "How long the runtime may do nothing before it counts as hung",
            "DURATION (default 30s)");
  add_no_wait_flag(command);
}

void add_flags(CLI::App& command, CheckpointFlags& flags) {
  begin_flag_group(command, "Which containers");
  add_container_arguments(command, flags.containers);
  add_all_flag(command, flags.containers, "-a,--all", "All running containers");
  add_engine_flags(command, flags.engine,
                   "Whose container it is (default auto: of all that are at work here)", "auto");
  add_capture_flags(command, flags.options);
  add_target_flags(command, flags);
  add_memory_flags(command, flags);
  add_waiting_flags(command, flags);
  begin_flag_group(command, "What to print");
  command.add_flag("--dry-run", flags.dry_run,
                   "Touch nothing; print whether and how each container can be checkpointed. Exit "
                   "code 0: all of them, 125: one cannot");
  add_value(command, "--format", flags.format, "With --dry-run: print as JSON or by a Go template",
            "json|TEMPLATE");
  command.add_flag("--print-stats", flags.print_stats, "Print times and sizes as JSON");
  begin_flag_group(command, "Not supported yet");
  not_yet_flag(command, "-P,--pre-checkpoint");
  not_yet_flag(command, "--with-previous");
  not_yet_value(command, "--create-image");
}

}  // namespace

void register_checkpoint(CLI::App& parent, Context& context) {
  CLI::App& command = add_command(
      parent,
      {"checkpoint",
       "Checkpoint containers: memory, root file system and volumes of one instant",
       "[flags] CONTAINER...",
       {"still container checkpoint --leave-running --export web.tar.zst web",
        "still container checkpoint web", "still container checkpoint --dry-run -R web",
        "still checkpoint --dry-run -R --all --format '{{.ContainerName}} {{.Possible}}'"}});
  auto flags = std::make_shared<CheckpointFlags>();
  add_flags(command, *flags);
  on_run(command, context, [&context, flags] { return run_checkpoint(context, *flags); });
}

}  // namespace still::cli
