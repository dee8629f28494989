#include "cli/flags/engine_flags.h"

#include "base/format.h"
#include "base/text.h"

namespace still::cli {
namespace {

// A flag that only one engine minds would be forgotten with another.
void require_engine(bool is_given, const std::string& flag, bool is_asked,
                    const std::string& engine) {
  if (!is_given || is_asked) return;
  throw Error(ErrorKind::kUsage, formatted("{} is about containers of {}", flag, engine),
              formatted("add --engine {}, or leave {} out", engine, flag));
}

}  // namespace

sources::EngineSettings EngineFlags::settings() const {
  const bool is_every = engine == "auto" || engine == "all";
  const bool is_podman = is_every || engine == "podman";
  const bool is_containerd = is_every || engine == "containerd";
  const bool is_oci = engine == "oci";
  require_engine(podman_root.has_value(), "--podman-root", is_podman, "podman");
  require_engine(podman_runroot.has_value(), "--podman-runroot", is_podman, "podman");
  require_engine(name_space.has_value(), "--namespace", is_containerd, "containerd");
  require_engine(runtime.has_value(), "--runtime", is_oci, "oci");
  require_engine(runtime_root.has_value(), "--runtime-root", is_oci, "oci");
  sources::EngineSettings settings{.engine = engine, .podman = {}, .containerd = {}, .oci = {}};
  settings.podman = {.root = podman_root.value_or(""), .runroot = podman_runroot.value_or("")};
  settings.containerd = {.name_space = name_space.value_or("")};
  if (runtime) settings.oci.runtime = *runtime;
  if (runtime_root) settings.oci.root = *runtime_root;
  return settings;
}

void add_engine_flags(CLI::App& command, EngineFlags& flags, const std::string& description,
                      const std::string& every) {
  command.add_option("--engine", flags.engine, description)
      ->option_text(every + "|" + join(sources::engine_names(), "|"));
  add_value(command, "--podman-root", flags.podman_root, "Podman's own --root",
            "DIR (default: what Podman has)");
  add_value(command, "--podman-runroot", flags.podman_runroot, "Podman's own --runroot",
            "DIR (default: what Podman has)");
  add_value(command, "--namespace", flags.name_space, "containerd's namespace",
            "NAME (default: all but Docker's; Kubernetes' is k8s.io)");
  add_value(command, "--runtime", flags.runtime, "For --engine oci: the OCI runtime",
            "crun|runc|PATH (default crun)");
  add_value(command, "--runtime-root", flags.runtime_root,
            "For --engine oci: the directory of the runtime's state",
            "DIR (default /run/crun or /run/runc)");
}

}  // namespace still::cli
