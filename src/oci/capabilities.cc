#include "oci/capabilities.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"
#include "base/text.h"

namespace still::oci {
namespace {

// In the order of their numbers (linux/capability.h).
constexpr std::array kCapabilities = {"CAP_CHOWN",
                                      "CAP_DAC_OVERRIDE",
                                      "CAP_DAC_READ_SEARCH",
                                      "CAP_FOWNER",
                                      "CAP_FSETID",
                                      "CAP_KILL",
                                      "CAP_SETGID",
                                      "CAP_SETUID",
                                      "CAP_SETPCAP",
                                      "CAP_LINUX_IMMUTABLE",
                                      "CAP_NET_BIND_SERVICE",
                                      "CAP_NET_BROADCAST",
                                      "CAP_NET_ADMIN",
                                      "CAP_NET_RAW",
                                      "CAP_IPC_LOCK",
                                      "CAP_IPC_OWNER",
                                      "CAP_SYS_MODULE",
                                      "CAP_SYS_RAWIO",
                                      "CAP_SYS_CHROOT",
                                      "CAP_SYS_PTRACE",
                                      "CAP_SYS_PACCT",
                                      "CAP_SYS_ADMIN",
                                      "CAP_SYS_BOOT",
                                      "CAP_SYS_NICE",
                                      "CAP_SYS_RESOURCE",
                                      "CAP_SYS_TIME",
                                      "CAP_SYS_TTY_CONFIG",
                                      "CAP_MKNOD",
                                      "CAP_LEASE",
                                      "CAP_AUDIT_WRITE",
                                      "CAP_AUDIT_CONTROL",
                                      "CAP_SETFCAP",
                                      "CAP_MAC_OVERRIDE",
                                      "CAP_MAC_ADMIN",
                                      "CAP_SYSLOG",
                                      "CAP_WAKE_ALARM",
                                      "CAP_BLOCK_SUSPEND",
                                      "CAP_AUDIT_READ",
                                      "CAP_PERFMON",
                                      "CAP_BPF",
                                      "CAP_CHECKPOINT_RESTORE"};

}  // namespace

const std::vector<std::string>& default_capabilities() {
  static const std::vector<std::string> kDefault = {
      "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
      "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
  return kDefault;
}

std::vector<std::string> all_capabilities() {
  std::vector<std::string> held;
  for (size_t number = 0; number < kCapabilities.size(); ++number) {
    if (::prctl(PR_CAPBSET_READ, number) == 1) held.emplace_back(kCapabilities[number]);
  }
  return held;
}

std::string capability_name(int number) {
  const auto place = static_cast<size_t>(number);
  return place < kCapabilities.size() ? kCapabilities.at(place)
                                      : "capability " + std::to_string(number);
}

std::string normalize_capability(const std::string& name) {
  std::string normal = name;
  std::ranges::transform(normal, normal.begin(), [](unsigned char c) { return std::toupper(c); });
  if (!normal.starts_with("CAP_")) normal.insert(0, "CAP_");
  if (std::ranges::contains(kCapabilities, normal)) return normal;
  throw Error(ErrorKind::kUsage, "unknown capability \"" + printable(name) + "\"",
              "see capabilities(7); the prefix CAP_ may be left out");
}

}  // namespace still::oci
