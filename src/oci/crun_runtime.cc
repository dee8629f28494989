#include "oci/crun_runtime.h"

#include "os/files.h"

namespace still::oci {
namespace {

// The command in a mount namespace of its own, where `directory` is /sys/fs/cgroup.
std::vector<std::string> with_cgroup_root(const std::filesystem::path& directory,
                                          const std::vector<std::string>& command) {
  std::vector<std::string> arguments = {
      "unshare", "--mount", "--propagation=private",
      "sh",      "-c",      "mount --bind \"$1\" /sys/fs/cgroup && shift && exec \"$@\"",
      "sh",      directory};
  arguments.insert(arguments.end(), command.begin(), command.end());
  return arguments;
}

}  // namespace

std::vector<std::string> CrunRuntime::global_arguments() const {
  return {"--root=" + state_root_.native(),
          no_cgroups_ ? "--cgroup-manager=disabled" : "--cgroup-manager=cgroupfs"};
}

Command CrunRuntime::checkpoint_command(const std::string& id,
                                        const CheckpointOptions& options) const {
  Command command = OciRuntime::checkpoint_command(id, options);
  // CRIU would otherwise read every cgroup of the container, in all hierarchies of a hybrid
  // machine, while it holds the tasks. Only for the checkpoint: crun 1.21 parses the flag of
  // restore but then uses "soft".
  command.arguments.insert(command.arguments.end() - 1, "--manage-cgroups-mode=ignore");
  if (options.borrowed_cgroup) {
    command.arguments = with_cgroup_root(*options.borrowed_cgroup, command.arguments);
  }
  return command;
}

// A connection's first segment must not leave before all of them are there: it would be answered by
// a reset. CRIU keeps packets back in a namespace that it takes for empty, as runc tells it to; one
// that a runtime provides without a word it leaves alone.
std::map<std::string, std::string> CrunRuntime::criu_options(const RestoreOptions& options) const {
  auto result = OciRuntime::criu_options(options);
  if (options.tcp_established) result["empty-ns"] = "net";
  return result;
}

// crun takes the filter for exec from a file beside its state, which its create makes and its
// restore (1.21) does not.
void CrunRuntime::keep_seccomp(const std::string& id, std::string_view filter) const {
  const auto file = state_root_ / id / "seccomp.bpf";
  if (!path_exists(file)) write_file_atomically(file, std::string(filter), 0600);
}

}  // namespace still::oci
