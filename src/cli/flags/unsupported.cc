#include "cli/flags/unsupported.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/help.h"

namespace still::cli {
namespace {

// Flags of podman 5 that some command of the same name has there and none has here.
constexpr std::array<std::string_view, 131> kPodmanOnly = {
    "--add-host",
    "--annotation",
    "--arch",
    "--attach",
    "--authfile",
    "--blkio-weight",
    "--blkio-weight-device",
    "--cgroup-conf",
    "--cgroupns",
    "--chrootdirs",
    "--cidfile",
    "--color",
    "--condition",
    "--config",
    "--conmon-pidfile",
    "--cpu-period",
    "--cpu-quota",
    "--cpu-rt-period",
    "--cpu-rt-runtime",
    "--cpu-shares",
    "--cpuset-cpus",
    "--cpuset-mems",
    "--decryption-key",
    "--depend",
    "--detach-keys",
    "--device",
    "--device-cgroup-rule",
    "--device-read-bps",
    "--device-read-iops",
    "--device-write-bps",
    "--device-write-iops",
    "--digests",
    "--disable-content-trust",
    "--dns",
    "--dns-option",
    "--dns-search",
    "--driver",
    "--env-host",
    "--env-merge",
    "--expose",
    "--external",
    "--gidmap",
    "--gpus",
    "--group-add",
    "--group-entry",
    "--health-cmd",
    "--health-interval",
    "--health-on-failure",
    "--health-retries",
    "--health-start-period",
    "--health-timeout",
    "--history",
    "--hosts-file",
    "--hostuser",
    "--http-proxy",
    "--image-volume",
    "--init-ctr",
    "--init-path",
    "--interval",
    "--ip",
    "--ip6",
    "--ipc",
    "--label-file",
    "--log-opt",
    "--mac-address",
    "--memory-reservation",
    "--memory-swap",
    "--memory-swappiness",
    "--mount",
    "--network-alias",
    "--no-healthcheck",
    "--no-hostname",
    "--no-hosts",
    "--no-prune",
    "--ns",
    "--oom-kill-disable",
    "--oom-score-adj",
    "--opt",
    "--os",
    "--passwd-entry",
    "--personality",
    "--pid",
    "--pidfile",
    "--platform",
    "--pod",
    "--pod-id-file",
    "--preserve-fd",
    "--preserve-fds",
    "--privileged",
    "--publish",
    "--publish-all",
    "--pull",
    "--rdt-class",
    "--read-only-tmpfs",
    "--remote",
    "--replace",
    "--requires",
    "--restart",
    "--retry",
    "--sdnotify",
    "--seccomp-policy",
    "--secret",
    "--shm-size-systemd",
    "--sig-proxy",
    "--since",
    "--size",
    "--sort",
    "--storage-driver",
    "--storage-opt",
    "--subgidname",
    "--subuidname",
    "--sync",
    "--sysctl",
    "--systemd",
    "--timeout",
    "--tls-verify",
    "--tmpdir",
    "--tz",
    "--uidmap",
    "--umask",
    "--unsetenv",
    "--unsetenv-all",
    "--until",
    "--url",
    "--userns",
    "--uts",
    "--variant",
    "--volumepath",
    "--volumes-from",
    "--watch",
    "--cgroup-manager",
};

// The short forms, where they mean the same wherever Podman has them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kShort = {{
    {"-p", "--publish"},
    {"-P", "--publish-all"},
}};

std::string_view long_form(std::string_view flag) {
  for (const auto& [brief, name] : kShort) {
    if (flag.substr(0, 2) == brief) return name;
  }
  return flag.substr(0, flag.find('='));
}

}  // namespace

Error unknown_flag(std::string_view flag, const std::string& nearest, const std::string& see) {
  const std::string_view name = long_form(flag);
  if (std::ranges::contains(kPodmanOnly, name)) {
    return Error(ErrorKind::kUnsupported, std::string(name) + " is not supported", see);
  }
  return Error(ErrorKind::kUsage, "unknown flag: " + printable(flag), did_you_mean(nearest, see));
}

}  // namespace still::cli
