// What the images give, against what the spec does.
#include <linux/seccomp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "criu/image_files.h"
#include "criu/image_privileges.h"
#include "criu/numbers.h"
#include "oci/capabilities.h"
#include "oci/seccomp.h"
#include "oci/seccomp_filter.h"
#include "oci/spec.h"
#include "os/beneath.h"
#include "os/files.h"

namespace still::criu {
namespace {

// What add_tmpfs() may be told of one that is empty: its root alone.
constexpr uint64_t kEmptyTmpfsBytes = uint64_t{64} << 10;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

bool holds(const ImageLimits& limits, std::string_view capability) {
  return std::ranges::contains(limits.capabilities, capability);
}

// Whether the runtime hides what is there, a directory by an empty tmpfs.
bool is_masked(const std::string& place) {
  return std::ranges::any_of(oci::protected_paths(), [&](const oci::ProtectedPath& path) {
    return path.is_masked && path.path == place;
  });
}

// Bytes of "size=65536k" among the options of a tmpfs; 0: it has no limit. Sizes that are written
// in other ways are not the kernel's, and count as the largest.
uint64_t size_option(std::string_view options) {
  constexpr std::string_view kSize = "size=";
  uint64_t size = 0;
  for (const std::string& option : split(options, ',')) {
    if (!option.starts_with(kSize)) continue;
    const auto kibibytes =
        option.ends_with('k')
            ? parse_integer(option.substr(kSize.size(), option.size() - kSize.size() - 1))
            : std::nullopt;
    size = kibibytes && *kibibytes >= 0 ? static_cast<uint64_t>(*kibibytes) << 10 : UINT64_MAX;
  }
  return size;
}

bool is_pseudo(uint32_t type) {
  return type == kProc || type == kSysfs || type == kCgroup || type == kCgroup2;
}

}  // namespace

std::vector<std::string> ImagePrivileges::beyond(const ImageLimits& limits) const {
  std::vector<std::string> found;
  find_capabilities(limits, found);
  find_filters(limits, found);
  find_namespaces(limits, found);
  find_mounts(limits, found);
  find_tmpfs(limits, found);
  find_scheduling(limits, found);
  find_others(limits, found);
  if (limits.cgroup) check_cgroups();
  check_made_paths();
  return found;
}

void ImagePrivileges::find_capabilities(const ImageLimits& limits,
                                        std::vector<std::string>& found) const {
  for (int number = 0; number < 64; ++number) {
    if ((capabilities_ >> number & 1) == 0) continue;
    const std::string name = oci::capability_name(number);
    if (!std::ranges::contains(limits.capabilities, name))
      found.push_back("the capability " + name);
  }
}

// Filters add up: a call is allowed if every one of the chain allows it.
bool ImagePrivileges::chain_allows(uint32_t filter, const oci::SystemCall& call) const {
  const seccomp_data data{
      .nr = call.number, .arch = call.architecture, .instruction_pointer = 0, .args = {}};
  std::optional<uint32_t> next = filter;
  for (size_t length = 0; next && length <= filters_.size(); ++length) {
    if (*next >= filters_.size()) refuse("a seccomp filter is missing in the CRIU images");
    const uint32_t action =
        oci::run_seccomp_filter(filters_[*next].program, data) & SECCOMP_RET_ACTION_FULL;
    if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG) return false;
    next = filters_[*next].previous;
  }
  return true;
}

// CRIU leaves the filter of a thread out where that of its process's first thread is the same and
// is set for all of them.
bool ImagePrivileges::has_filter(const std::string& thread) const {
  const auto leader = leader_.find(thread);
  if (leader == leader_.end()) return false;
  const auto filter = filter_of_.find(leader->second);
  return filter != filter_of_.end() && filter->second < filters_.size() &&
         filters_[filter->second].for_all_threads;
}

void ImagePrivileges::find_filters(const ImageLimits& limits,
                                   std::vector<std::string>& found) const {
  if (!limits.seccomp) return;
  const auto lacks = [&](const std::string& thread) { return !has_filter(thread); };
  if (std::ranges::any_of(without_filter_, lacks)) {
    found.emplace_back("no seccomp filter");
    return;
  }
  std::set<uint32_t> filters_used;
  for (const auto& [thread, filter] : filter_of_) filters_used.insert(filter);
  for (const oci::SystemCall& call :
       oci::refused_system_calls(oci::default_seccomp(limits.capabilities))) {
    const auto allows = [&](uint32_t filter) { return chain_allows(filter, call); };
    if (!std::ranges::any_of(filters_used, allows)) continue;
    found.push_back("a seccomp filter that allows " + call.name);
    return;  // one says enough
  }
}

void ImagePrivileges::find_namespaces(const ImageLimits& limits,
                                      std::vector<std::string>& found) const {
  if (!host_) refuse("the CRIU images do not say which namespaces are the host's");
  std::set<std::string> shared;
  std::set<uint32_t> networks;
  for (const std::string& process : processes_) {
    const auto ids = inside_.find(process);
    if (ids == inside_.end()) refuse("the CRIU images do not say the namespaces of every process");
    for (const char* kind : {"pid", "network", "ipc", "uts", "mount"}) {
      const auto of_host = host_->ids.find(kind);
      const auto own = ids->second.ids.find(kind);
      if (own == ids->second.ids.end() || of_host == host_->ids.end() ||
          own->second == of_host->second) {
        shared.insert(kind);
      } else if (kind == std::string_view("network")) {
        networks.insert(own->second);
      }
    }
  }
  // All would get the one that the runtime provides.
  if (networks.size() > 1) refuse("the container has made a network namespace of its own");
  if (limits.host_network) shared.erase("network");
  for (const std::string& kind : shared) found.push_back("the host's " + kind + " namespace");
}

// Whether it is one of those that a spec of ours has, as it has them.
bool ImagePrivileges::belongs(const Mount& mount, const ImageLimits& limits) const {
  if (mount.place == "/" || mount.provided) return true;
  switch (mount.type) {
    case kTmpfs:
      return limits.tmpfs.contains(mount.place) || is_masked(mount.place) ||
             holds(limits, "CAP_SYS_ADMIN");
    case kDevpts:
    case kMqueue:
      return true;
    case kProc:  // and parts of it, which are read-only
      if (mount.place == "/proc") return mount.root == "/";
      return mount.read_only && mount.place == "/proc" + mount.root;
    case kSysfs:
      return mount.read_only && mount.place == "/sys" && mount.root == "/";
    case kCgroup:
    case kCgroup2:
      return mount.read_only && mount.place.starts_with("/sys/fs/cgroup");
    default:
      return false;
  }
}

void ImagePrivileges::find_mounts(const ImageLimits& limits,
                                  std::vector<std::string>& found) const {
  std::map<std::string, const Mount*> at;
  for (const Mount& mount : mounts_) {
    const bool is_first = at.emplace(mount.place, &mount).second;
    if (is_first && belongs(mount, limits)) continue;
    found.push_back("a mount at " + printable(mount.place) + " that it was not configured with");
  }
  // What is hidden of the kernel's own file systems, as far as they have it here.
  const auto shows = [&](const std::string& top) {
    const auto mount = at.find(top);
    return mount != at.end() && is_pseudo(mount->second->type);
  };
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    if (!shows(path.path.starts_with("/sys") ? "/sys" : "/proc") || !path_exists(path.path) ||
        limits.visible.contains(path.path)) {
      continue;
    }
    const auto mount = at.find(path.path);
    const bool is_safe = mount != at.end() && (path.is_masked ? !is_pseudo(mount->second->type)
                                                              : mount->second->read_only);
    if (!is_safe) {
      found.push_back((path.is_masked ? "a view of " : "a way to write to ") + path.path);
    }
  }
}

// CRIU takes one of the two kinds of files, and which is its own affair: all that there is counts.
ImagePrivileges::Tmpfs ImagePrivileges::content_of(const Mount& mount) const {
  Tmpfs all;
  for (const auto& [file, content] : tmpfs_) {
    if (number_in(file, "tmpfs-%u.tar.gz.img") != mount.id &&
        number_in(file, "tmpfs-dev-%u.tar.gz.img") != mount.device) {
      continue;
    }
    all.size_bytes += content.size_bytes;
    all.links.insert(all.links.end(), content.links.begin(), content.links.end());
  }
  return all;
}

void ImagePrivileges::find_tmpfs(const ImageLimits& limits, std::vector<std::string>& found) const {
  for (const Mount& mount : mounts_) {
    const auto configured = limits.tmpfs.find(mount.place);
    if (mount.type != kTmpfs || mount.provided) continue;
    // What hides a part of /proc has no limit of its own, and nothing in it.
    const bool has_size = configured != limits.tmpfs.end() && configured->second;
    const uint64_t allowed = has_size                 ? *configured->second
                             : is_masked(mount.place) ? kEmptyTmpfsBytes
                                                      : limits.memory_bytes.value_or(UINT64_MAX);
    const uint64_t size = size_option(mount.options);
    if (content_of(mount).size_bytes > allowed || (has_size && (size == 0 || size > allowed))) {
      found.push_back("a tmpfs at " + printable(mount.place) + " of more than its " +
                      human_size(allowed));
    }
  }
  if (limits.memory_bytes && tmpfs_bytes() > *limits.memory_bytes) {
    found.push_back(human_size(tmpfs_bytes()) + " in tmpfs, more than its memory");
  }
}

void ImagePrivileges::find_scheduling(const ImageLimits& limits,
                                      std::vector<std::string>& found) const {
  if (!holds(limits, "CAP_SYS_NICE")) {
    if (scheduling_.nice < std::min(limits.scheduling.nice, 0)) {
      found.push_back("the nice value " + std::to_string(scheduling_.nice));
    }
    if (scheduling_.realtime_priority > limits.scheduling.realtime_priority) {
      found.emplace_back("a limit for real-time priorities");
    }
    if (scheduling_.nice_limit > limits.scheduling.nice_limit) {
      found.emplace_back("a limit for nice values");
    }
  }
  if (scheduling_.oom_score_adjustment < std::min(limits.scheduling.oom_score_adjustment, 0) &&
      !holds(limits, "CAP_SYS_RESOURCE")) {
    found.push_back("the OOM score adjustment " + std::to_string(scheduling_.oom_score_adjustment));
  }
}

void ImagePrivileges::find_others(const ImageLimits& limits,
                                  std::vector<std::string>& found) const {
  for (const auto& [what, capability] : needs_) {
    if (!holds(limits, capability)) found.push_back(what);
  }
  for (const std::string& label : labels_) {
    found.push_back("the security label " + printable(label));
  }
  if (limits.no_new_privileges && without_no_new_privileges_) {
    found.emplace_back("new privileges");
  }
}

// CRIU leaves tasks where it is itself that name no set of cgroups, or its own.
void ImagePrivileges::check_cgroups() const {
  const auto is_outside = [&](uint32_t set) {
    return set == 0 || set == set_of_criu_ || !cgroup_sets_.contains(set);
  };
  const auto places_nobody = [&](const std::string& process) {
    return processes_.contains(process) && !sets_of_.contains(process);
  };
  if (std::ranges::any_of(sets_of_ | std::views::values | std::views::join, is_outside) ||
      std::ranges::any_of(roots_, places_nobody)) {
    refuse("a task is in no cgroup of the container");
  }
}

// Of those in a tmpfs, whose content is in the images.
void ImagePrivileges::check_made_paths() const {
  for (const std::string& path : made_paths()) {
    for (const Mount& mount : mounts_) {
      const std::string top = mount.place == "/" ? "/" : mount.place + "/";
      if (mount.type != kTmpfs || !path.starts_with(top)) continue;
      if (lies_in(path.substr(top.size()), content_of(mount).links)) {
        refuse("it makes the file " + printable(path) + " behind a symbolic link");
      }
    }
  }
}

}  // namespace still::criu
