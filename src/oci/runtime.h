// An OCI runtime, crun or runc, as a program that is called.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/process.h"

namespace still::oci {

// The annotation of a container's spec that names a CRIU configuration file. runc passes it on with
// precedence over its own settings (its only way to the cgroup mode "ignore", see criu_options());
// crun does not know it and gets the file by CRIU_CONFIG_FILE. The file may be absent.
inline constexpr const char* kCriuConfigurationAnnotation = "org.criu.config";

struct CheckpointOptions {
  std::filesystem::path image_directory;  // for the CRIU images; exists
  std::filesystem::path work_directory;   // for dump.log and statistics; exists
  bool leave_running = false;
  bool tcp_established = false;
  bool file_locks = false;
  std::optional<std::filesystem::path> criu_configuration;  // path of a file for CRIU_CONFIG_FILE
  // Variables for the runtime and CRIU beyond our own.
  std::map<std::string, std::string> environment;
  // For a container without a cgroup of its own: the directory of the one that it has been lent
  // (cgroup::BorrowedCgroup). The runtime is shown it as /sys/fs/cgroup.
  std::optional<std::filesystem::path> borrowed_cgroup;
};

struct RestoreOptions {
  std::filesystem::path image_directory;
  std::filesystem::path work_directory;  // for restore.log and statistics; exists
  bool tcp_established = false;
  bool tcp_close = false;
  bool file_locks = false;
  std::optional<std::filesystem::path> criu_configuration;  // for conmon's CRIU_CONFIG_FILE
};

struct RuntimeState {
  std::string status;  // "creating", "created", "running", "paused", "stopped"
  pid_t pid = 0;       // 0 when stopped
  std::filesystem::path bundle;
};

class OciRuntime {
 public:
  // name: "crun", "runc" or the path of one of them (under another file name they are told apart by
  // what --version prints). state_root: the runtime's own --root directory. no_cgroups: the
  // container has no cgroup of its own (crun only; Error(kUnsupported) with runc). Throws
  // Error(kNotFound) if there is no such program, Error(kUnsupported) if it is another one.
  static std::unique_ptr<OciRuntime> open(const std::string& name,
                                          const std::filesystem::path& state_root, bool no_cgroups);
  virtual ~OciRuntime() = default;

  const std::filesystem::path& program() const { return program_; }
  virtual std::string name() const = 0;
  // "1.21"; asked from the program, once.
  std::string version() const;

  // Flags that come before the subcommand in every call ("--root=...", cgroup manager), for conmon.
  virtual std::vector<std::string> global_arguments() const = 0;
  // Flags after "restore" for conmon's --runtime-opt. conmon itself gives --bundle, --pid-file,
  // --detach, --image-path (its --restore DIR) and --work-path (the bundle); the runtimes obey the
  // last of two --work-path.
  std::vector<std::string> restore_arguments(const RestoreOptions& options) const;
  // CRIU options that a checkpoint or restore needs and this runtime has no working flag for: to be
  // written, with others, to the files that kCriuConfigurationAnnotation and CRIU_CONFIG_FILE name.
  virtual std::map<std::string, std::string> criu_options(const CheckpointOptions& options) const;
  virtual std::map<std::string, std::string> criu_options(const RestoreOptions& options) const;

  // Each throws Error(kRuntime) with the runtime's message.
  void start(const std::string& id) const;
  // A container that is gone or has ended already is no error.
  void kill(const std::string& id, int signal, bool all) const;
  // Makes the runtime forget the container, running or not; what it left in cgroups may stay.
  void remove(const std::string& id) const;
  // nullopt if the runtime knows no such container.
  std::optional<RuntimeState> state(const std::string& id) const;

  // The checkpoint as a command: the caller starts it when the moment has come, in its own process
  // group, and waits for it. Never kill it: CRIU may be in the middle of its parasite code.
  virtual Command checkpoint_command(const std::string& id, const CheckpointOptions& options) const;
  // A restore without a monitor, which ends when the container is there, of the bundle in that
  // directory.
  Command restore_command(const std::string& id, const std::filesystem::path& bundle,
                          const RestoreOptions& options) const;
  // Has what exec_command() starts in a restored container get the seccomp filter (struct
  // sock_filter, one after the other) that the container was made with. For a runtime that sees to
  // it itself: nothing. Throws Error(kSystem).
  virtual void keep_seccomp(const std::string& id, std::string_view filter) const;
  // Runs a process in the container, described by an OCI process object in a JSON file.
  Command exec_command(const std::string& id, const std::filesystem::path& process_file, bool tty,
                       bool detach, const std::filesystem::path& pid_file) const;

 protected:
  OciRuntime(std::filesystem::path program, std::filesystem::path state_root)
      : program_(std::move(program)), state_root_(std::move(state_root)) {}
  // The program with its global arguments, the subcommand and its arguments.
  Command command(const std::vector<std::string>& arguments) const;

  const std::filesystem::path program_;
  const std::filesystem::path state_root_;

 private:
  // Runs a subcommand whose failure is an error.
  std::string run(const std::vector<std::string>& arguments) const;
  bool has_ended(const std::string& id) const;

  mutable std::string version_;  // empty: not asked yet
};

// The message in what a runtime wrote to standard error: its last line, without the format of
// runc's log (time="..." level=error msg="...").
std::string runtime_message(std::string_view errors);

// CRIU's log inside a work directory after a checkpoint or restore by either runtime.
std::filesystem::path dump_log(const std::filesystem::path& work_directory);
std::filesystem::path restore_log(const std::filesystem::path& work_directory);

}  // namespace still::oci
