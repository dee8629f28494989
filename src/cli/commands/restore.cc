// still container restore

#include "restore/restore.h"

#include <algorithm>
#include <iostream>

#include "base/log.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/container_flags.h"
#include "cli/flags/not_yet.h"
#include "cli/flags/selection.h"
#include "cli/help.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "cli/output/standard_archive.h"
#include "sources/still/destination.h"

namespace still::cli {
namespace {

struct RestoreFlags {
  ContainerArguments containers;
  std::optional<std::string> import_file;
  std::optional<std::string> name;
  std::optional<std::string> rootfs;
  std::optional<std::string> image;
  std::optional<std::string> identity;
  ContainerFlags grants;
  std::vector<std::string> rename_volumes;  // OLD=NEW
  restore::RestoreOptions options;
  bool allow_spec = false;
  bool print_stats = false;
};

int64_t microseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

void refuse_without_import(const RestoreFlags& flags) {
  const auto refuse = [&](bool used, const std::string& flag) {
    if (!used) return;
    throw Error(ErrorKind::kUsage, flag + " only makes sense with --import", "add --import FILE");
  };
  refuse(flags.name.has_value(), "--name");
  refuse(flags.rootfs.has_value(), "--rootfs");
  refuse(flags.image.has_value(), "--image");
  refuse(flags.identity.has_value(), "--identity");
  refuse(!flags.rename_volumes.empty(), "--rename-volume");
  refuse(flags.allow_spec, "--allow-spec");
  refuse(flags.options.require_certificate, "--require-certificate");
  refuse(flags.grants.runtime.has_value(), "--runtime");
  refuse(!sources::demands_of(make_grants(flags.grants)).empty(), "what grants more to an archive");
  refuse(flags.options.ignore_rootfs, "--ignore-rootfs");
  refuse(flags.options.ignore_volumes, "--ignore-volumes");
}

void refuse_with_import(const RestoreFlags& flags) {
  if (flags.rootfs && flags.image) {
    throw Error(ErrorKind::kUsage, "--rootfs and --image both name what the container begins with",
                "leave one of them out");
  }
  const engine::Selection& selection = flags.containers.selection;
  if (selection.references.empty() && !selection.all && !selection.latest) return;
  throw Error(ErrorKind::kUsage, "--import restores an archive and takes no container",
              "leave the container out, or --import");
}

restore::RestoreOptions read_options(const RestoreFlags& flags) {
  restore::RestoreOptions options = flags.options;
  options.wishes.name = flags.name.value_or("");
  options.wishes.rootfs = flags.rootfs.value_or("");
  options.wishes.image = flags.image.value_or("");
  options.identity = flags.identity.value_or("");
  for (const std::string& rename : flags.rename_volumes) {
    const size_t equals = rename.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == rename.size()) {
      throw Error(ErrorKind::kUsage, "\"" + rename + "\" is not OLD=NEW",
                  "write --rename-volume data=data2");
    }
    options.wishes.rename_volumes[rename.substr(0, equals)] = rename.substr(equals + 1);
  }
  return options;
}

// Keys as Podman's, times in microseconds.
Json statistics(const restore::RestoreResult& result) {
  Json criu = nullptr;
  if (result.criu) {
    criu = {{"forking_time", result.criu->forking_time},
            {"restore_time", result.criu->restore_time},
            {"pages_restored", result.criu->pages_restored}};
  }
  return {{"Id", result.container_id},
          {"runtime_restore_duration", microseconds(result.runtime_duration)},
          {"criu_statistics", criu},
          {"still_statistics", {{"total", microseconds(result.total)}}}};
}

class Restores {
 public:
  Restores(Context& context, const RestoreFlags& flags)
      : context_(context),
        flags_(flags),
        options_(read_options(flags)),
        grants_{.everything = flags.allow_spec,
                .granted = make_grants(flags.grants),
                .runtime = flags.grants.runtime,
                .without_network = std::ranges::contains(flags.grants.networks, "none")},
        destination_(context.host(), grants_) {}

  void from_archive() {
    const ArchiveInput archive(context_.host().layout, *flags_.import_file);
    ProgressLine progress;
    report(restore::restore_archive(archive.path(), destination_, context_.host(), options_,
                                    progress));
  }

  void in_place(const std::string& id) {
    ProgressLine progress;
    report(restore::restore_in_place(destination_, id, context_.host(), options_, progress));
  }

  // Nothing where every restore has failed.
  void print_statistics(std::chrono::nanoseconds total, int code) const {
    if (!flags_.print_stats || (code != 0 && statistics_.empty())) return;
    std::cout << pretty(
        {{"podman_restore_duration", microseconds(total)}, {"container_statistics", statistics_}});
  }

 private:
  void report(const restore::RestoreResult& result) {
    if (!result.consistent) {
      warn("the checkpoint was not certified consistent: " + result.inconsistent_because);
    }
    if (!result.volumes_left_out.empty()) {
      warn("memory and files of container " + result.container_name +
           " do not belong together: --ignore-volumes has left out " +
           printable(join(result.volumes_left_out, ", ")) + ", and uses what is there");
    }
    if (flags_.print_stats) {
      statistics_.push_back(statistics(result));
    } else {
      std::cout << result.container_id << "\n";
    }
  }

  Context& context_;
  const RestoreFlags& flags_;
  const restore::RestoreOptions options_;
  const sources::Grants grants_;
  sources::StillDestination destination_;
  Json statistics_ = Json::array();
};

// With --all only containers that ended by a checkpoint are meant.
std::vector<std::string> selected(Context& context, const RestoreFlags& flags) {
  std::vector<std::string> ids;
  for (const NamedContainer& container : find_containers(context, flags.containers)) {
    const auto record = context.store().find_container(container.id);
    const bool ended = record.status == store::ContainerStatus::kExited;
    if (!flags.containers.selection.all || (ended && record.checkpointed)) {
      ids.push_back(container.id);
    }
  }
  return ids;
}

int run_restore(Context& context, const RestoreFlags& flags) {
  const auto start = std::chrono::steady_clock::now();
  int code = 0;
  if (flags.import_file) {
    refuse_with_import(flags);
  } else {
    refuse_without_import(flags);
  }
  Restores restores(context, flags);
  if (flags.import_file) {
    restores.from_archive();
  } else {
    code = for_each_name(selected(context, flags),
                         [&](const std::string& id) { restores.in_place(id); });
  }
  restores.print_statistics(std::chrono::steady_clock::now() - start, code);
  return code;
}

void add_archive_flags(CLI::App& command, RestoreFlags& flags) {
  begin_flag_group(command, "A new container from an archive");
  add_value(command, "-i,--import", flags.import_file,
            "Restore from an archive, \"-\" from standard input", "FILE|-");
  add_value(command, "-n,--name", flags.name, "Name of the new container", "NAME");
  add_value(command, "--rootfs", flags.rootfs, "Directory to use as base root file system", "DIR");
  add_value(command, "--image", flags.image,
            "Image to use as base: a name or id here, or one of containers-storage:, "
            "docker-daemon:, oci:, oci-archive:, docker-archive:",
            "IMAGE");
  add_list(command, "--rename-volume", flags.rename_volumes,
           "Restore the archive's volume OLD as NEW", "OLD=NEW");
  add_value(command, "--identity", flags.identity, "Age identity that opens an encrypted archive",
            "FILE");
  command.add_flag("--require-certificate", flags.options.require_certificate,
                   "Refuse an archive whose manifest does not certify that it is consistent, and "
                   "one without a manifest");
}

void add_restored_flags(CLI::App& command, restore::RestoreOptions& options) {
  begin_flag_group(command, "What to restore");
  command.add_flag("--file-locks", options.file_locks, "Restore file locks");
  command.add_flag("--tcp-established", options.tcp_established,
                   "Restore established TCP connections");
  command.add_flag("--tcp-close", options.tcp_close, "Restore TCP sockets as closed");
  command.add_flag("--ignore-rootfs", options.ignore_rootfs,
                   "Do not apply the archive's changes of the root file system");
  command.add_flag(
      "--ignore-volumes", options.ignore_volumes,
      "Do not restore volumes; use those of that name here, whose files do not belong to "
      "the restored memory");
  command.add_flag("-k,--keep", options.keep,
                   "Keep CRIU's log and statistics, and a checkpoint restored in place");
}

void add_flags(CLI::App& command, RestoreFlags& flags) {
  begin_flag_group(command, "Which containers, in place");
  add_container_arguments(command, flags.containers);
  add_all_flag(command, flags.containers, "-a,--all", "All checkpointed containers");
  add_archive_flags(command, flags);
  add_restored_flags(command, flags.options);
  begin_flag_group(command, "What an archive is granted, as for run");
  command.add_flag("--allow-spec", flags.allow_spec,
                   "Grant all that the archive asks for beyond the default: it is trusted");
  add_granting_flags(command, flags.grants);
  begin_flag_group(command, "What to print");
  command.add_flag("--print-stats", flags.print_stats, "Print times as JSON");
  begin_flag_group(command, "Not supported yet");
  not_yet_value(command, "--import-previous");
  not_yet_flag(command, "--ignore-static-ip");
  not_yet_flag(command, "--ignore-static-mac");
  not_yet_value(command, "-p,--publish");
  not_yet_value(command, "--pod");
}

}  // namespace

void register_restore(CLI::App& parent, Context& context) {
  CLI::App& command = add_command(
      parent,
      {"restore",
       "Restore containers from a checkpoint",
       "[flags] CONTAINER...",
       {"still container restore web", "still container restore --import web.tar.zst",
        "still container restore --import web.tar.zst --name web2 --rename-volume data=data2",
        "still container restore --import web.tar.zst -v /srv/web:/srv --cap-add NET_RAW"}});
  auto flags = std::make_shared<RestoreFlags>();
  add_flags(command, *flags);
  on_run(command, context, [&context, flags] { return run_restore(context, *flags); });
}

}  // namespace still::cli
