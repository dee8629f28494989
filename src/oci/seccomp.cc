#include "oci/seccomp.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "os/files.h"

namespace still::oci {
namespace {

using nlohmann::json;

constexpr std::array kProfiles = {"/etc/containers/seccomp.json",
                                  "/usr/share/containers/seccomp.json"};

struct Architecture {
  const char* machine;  // uname's name
  const char* profile;  // the name in a profile's "arches": Go's
  const char* seccomp;  // libseccomp's
};
constexpr std::array kArchitectures = {Architecture{"x86_64", "amd64", "SCMP_ARCH_X86_64"},
                                       Architecture{"aarch64", "arm64", "SCMP_ARCH_AARCH64"},
                                       Architecture{"riscv64", "riscv64", "SCMP_ARCH_RISCV64"},
                                       Architecture{"s390x", "s390x", "SCMP_ARCH_S390X"},
                                       Architecture{"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"}};

// What reaches beyond the container whatever its capabilities, or has been a way out of it.
constexpr std::array kRefused = {"acct",
                                 "add_key",
                                 "bpf",
                                 "clock_settime",
                                 "delete_module",
                                 "fanotify_init",
                                 "finit_module",
                                 "init_module",
                                 "ioperm",
                                 "iopl",
                                 "kexec_load",
                                 "keyctl",
                                 "lookup_dcookie",
                                 "mount_setattr",
                                 "move_pages",
                                 "nfsservctl",
                                 "open_by_handle_at",
                                 "perf_event_open",
                                 "pivot_root",
                                 "quotactl",
                                 "reboot",
                                 "request_key",
                                 "setns",
                                 "settimeofday",
                                 "swapoff",
                                 "swapon",
                                 "sysfs",
                                 "syslog",
                                 "uselib",
                                 "userfaultfd",
                                 "vhangup",
                                 "vm86",
                                 "vm86old",
                                 "kexec_file_load",
                                 "io_uring_enter",
                                 "io_uring_register",
                                 "io_uring_setup"};

json refuse_list() {
  const json rule = {{"names", kRefused}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 1}};
  return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", json::array({rule})}};
}

const Architecture* find_architecture(const std::string& machine) {
  const auto found = std::ranges::find(kArchitectures, machine,
                                       [](const Architecture& known) { return known.machine; });
  return found == kArchitectures.end() ? nullptr : &*found;
}

// The list under a key; empty where it is absent or null.
std::vector<std::string> names_in(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || object[key].is_null()) return {};
  return object[key].get<std::vector<std::string>>();
}

// Decides which rules of a profile hold in a container.
class Selection {
 public:
  Selection(const std::vector<std::string>& capabilities, const Architecture* architecture)
      : capabilities_(capabilities), architecture_(architecture) {}

  bool holds(const json& rule) const {
    const json includes = rule.value("includes", json());
    const json excludes = rule.value("excludes", json());
    const auto arches = names_in(includes, "arches");
    const auto is_held = [&](const std::string& name) {
      return std::ranges::contains(capabilities_, name);
    };
    return (arches.empty() || is_ours(arches)) &&
           std::ranges::all_of(names_in(includes, "caps"), is_held) &&
           !is_ours(names_in(excludes, "arches")) &&
           std::ranges::none_of(names_in(excludes, "caps"), is_held);
  }

 private:
  bool is_ours(const std::vector<std::string>& arches) const {
    return architecture_ != nullptr && std::ranges::contains(arches, architecture_->profile);
  }

  const std::vector<std::string>& capabilities_;
  const Architecture* architecture_;
};

json translate_rule(const json& rule) {
  json result = {{"names", rule.at("names")}, {"action", rule.at("action")}};
  if (rule.contains("errnoRet")) result["errnoRet"] = rule["errnoRet"];
  if (rule.contains("args") && rule["args"].is_array() && !rule["args"].empty()) {
    result["args"] = rule["args"];
  }
  return result;
}

json architectures(const json& profile, const Architecture& architecture) {
  json result = {architecture.seccomp};
  for (const json& entry : profile.value("archMap", json::array())) {
    if (entry.at("architecture") != architecture.seccomp) continue;
    for (const auto& name : names_in(entry, "subArchitectures")) result.push_back(name);
  }
  return result;
}

json translate(const json& profile, const std::vector<std::string>& capabilities,
               const std::string& machine) {
  const Architecture* architecture = find_architecture(machine);
  const Selection selection(capabilities, architecture);
  json result = {{"defaultAction", profile.at("defaultAction")}, {"syscalls", json::array()}};
  if (profile.contains("defaultErrnoRet")) result["defaultErrnoRet"] = profile["defaultErrnoRet"];
  // Without a list the filter is for the native architecture.
  if (architecture != nullptr) result["architectures"] = architectures(profile, *architecture);
  for (const json& rule : profile.at("syscalls")) {
    if (selection.holds(rule)) result["syscalls"].push_back(translate_rule(rule));
  }
  return result;
}

}  // namespace

json default_seccomp(const std::vector<std::string>& capabilities) {
  utsname names{};
  ::uname(&names);
  for (const char* path : kProfiles) {
    const auto profile = read_file_if_exists(path);
    if (!profile) continue;
    try {
      return translate_seccomp(*profile, capabilities, names.machine);
    } catch (const Error& error) {
      throw error.in(path);
    }
  }
  return refuse_list();
}

std::span<const char* const> reaching_system_calls() { return kRefused; }

json translate_seccomp(std::string_view profile, const std::vector<std::string>& capabilities,
                       const std::string& machine) try {
  return translate(json::parse(profile), capabilities, machine);
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt, std::string("not a seccomp profile: ") + error.what());
}

}  // namespace still::oci
