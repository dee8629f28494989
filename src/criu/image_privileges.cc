#include "criu/image_privileges.h"

#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "oci/capabilities.h"
#include "oci/seccomp.h"
#include "oci/seccomp_filter.h"
#include "oci/spec.h"
#include "os/files.h"

namespace still::criu {
namespace {

// Numbers of CRIU's images.
enum TaskState : uint32_t { kDead = 2, kZombie = 6 };
enum FileType : uint32_t { kRegular = 1, kTunnel = 15, kExternal = 16 };
enum FsType : uint32_t {
  kProc = 1,
  kSysfs = 2,
  kTmpfs = 5,
  kDevpts = 6,
  kCgroup = 12,
  kMqueue = 14,
  kCgroup2 = 23
};

using Entries = std::vector<std::string_view>;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

template <typename Message>
Message parse_entry(std::string_view entry) {
  Message message;
  if (!message.ParsePartialFromString(std::string(entry)) || !message.IsInitialized()) {
    refuse("it is no CRIU image of its kind");
  }
  return message;
}

// The only entry of an image that has one.
template <typename Message>
Message parse_only(std::string_view content, const ImageKind& kind) {
  const Entries entries = image_entries(content, kind);
  if (entries.size() != 1) refuse("it is no CRIU image of its kind");
  return parse_entry<Message>(entries.front());
}

// "7" of "core-7.img"; nullopt for other names.
std::optional<std::string> number_in(std::string_view file, std::string_view prefix) {
  constexpr std::string_view kSuffix = ".img";
  if (!file.starts_with(prefix) || !file.ends_with(kSuffix)) return std::nullopt;
  file.remove_prefix(prefix.size());
  file.remove_suffix(std::min(file.size(), kSuffix.size()));
  return std::string(file);
}

uint64_t bits(const google::protobuf::RepeatedField<uint32_t>& words) {
  uint64_t result = 0;
  for (int i = 0; i < words.size(); ++i) {
    // Beyond what a kernel has: as if it were the highest.
    result |= i < 2 ? uint64_t{words[i]} << (32 * i) : uint64_t{words[i] != 0} << 63;
  }
  return result;
}

std::map<std::string, uint32_t> numbers(const messages::Namespaces& message) {
  std::map<std::string, uint32_t> ids;
  if (message.has_pid()) ids["pid"] = message.pid();
  if (message.has_net()) ids["network"] = message.net();
  if (message.has_ipc()) ids["ipc"] = message.ipc();
  if (message.has_uts()) ids["uts"] = message.uts();
  if (message.has_mnt()) ids["mount"] = message.mnt();
  return ids;
}

bool is_pseudo(uint32_t type) {
  return type == kProc || type == kSysfs || type == kCgroup || type == kCgroup2;
}

}  // namespace

bool ImagePrivileges::reads(std::string_view file) {
  return file == "inventory.img" || file == "pstree.img" || file == "files.img" ||
         file == "seccomp.img" || number_in(file, "core-") || number_in(file, "ids-") ||
         number_in(file, "mountpoints-") || reads_only_head(file);
}

bool ImagePrivileges::reads_only_head(std::string_view file) {
  return number_in(file, "ghost-file-").has_value();
}

void ImagePrivileges::add(const std::string& file, std::string_view content) {
  if (file == "inventory.img") {
    add_inventory(content);
  } else if (file == "pstree.img") {
    add_tree(content);
  } else if (file == "files.img") {
    check_files(content);
  } else if (file == "seccomp.img") {
    add_filters(content);
  } else if (const auto number = number_in(file, "core-")) {
    add_core(*number, content);
  } else if (const auto process = number_in(file, "ids-")) {
    add_namespaces(*process, content);
  } else if (number_in(file, "mountpoints-")) {
    add_mounts(content);
  } else if (number_in(file, "ghost-file-")) {
    check_ghost_file(content);
  }
}

void ImagePrivileges::add_inventory(std::string_view content) {
  const auto inventory = parse_only<messages::Inventory>(content, kInventoryImage);
  if (inventory.has_of_criu()) host_ = Namespaces{numbers(inventory.of_criu())};
}

void ImagePrivileges::add_tree(std::string_view content) {
  for (const std::string_view entry : image_entries(content, kTreeImage)) {
    const auto process = parse_entry<messages::Tree>(entry);
    for (const uint32_t thread : process.threads()) {
      leader_[std::to_string(thread)] = std::to_string(process.pid());
    }
  }
}

void ImagePrivileges::add_core(const std::string& number, std::string_view content) {
  const auto core = parse_only<messages::Core>(content, kCoreImage);
  if (core.has_process()) {
    if (core.process().state() == kDead || core.process().state() == kZombie) return;
    processes_.insert(number);
    if (core.has_namespaces()) inside_[number] = Namespaces{numbers(core.namespaces())};
  }
  const messages::Thread& thread = core.thread();
  // CRIU would leave the task with its own: all of them.
  if (!thread.has_credentials()) refuse("it has no credentials");
  const messages::Credentials& credentials = thread.credentials();
  capabilities_ |= bits(credentials.inheritable()) | bits(credentials.permitted()) |
                   bits(credentials.effective()) | bits(credentials.bounding());
  const uint32_t mode =
      thread.has_seccomp_mode() ? thread.seccomp_mode() : core.process().seccomp_mode();
  if (mode == SECCOMP_MODE_FILTER) {
    filter_of_[number] =
        thread.has_seccomp_mode() ? thread.seccomp_filter() : core.process().seccomp_filter();
  } else if (mode != SECCOMP_MODE_STRICT) {
    without_filter_.insert(number);
  }
}

void ImagePrivileges::add_namespaces(const std::string& number, std::string_view content) {
  const auto message = parse_only<messages::Namespaces>(content, kIdsImage);
  inside_.try_emplace(number, Namespaces{numbers(message)});  // CRIU asks the core image first
}

void ImagePrivileges::add_mounts(std::string_view content) {
  for (const std::string_view entry : image_entries(content, kMountsImage)) {
    const auto mount = parse_entry<messages::Mount>(entry);
    // Keys of CRIU itself mean that the image says what of the host is mounted.
    mounts_.push_back({.type = mount.fstype(),
                       .read_only = (mount.flags() & MS_RDONLY) != 0,
                       .provided = mount.key().starts_with('/'),
                       .root = mount.root(),
                       .place = mount.mountpoint()});
    if (mount.has_key() && !mount.key().starts_with('/')) mounts_.back().type = 0;
  }
}

void ImagePrivileges::check_files(std::string_view content) {
  const Entries entries = image_entries(content, kFilesImage);
  // CRIU would look for them in images of its early versions.
  if (entries.empty()) refuse("it has no open files");
  for (const std::string_view entry : entries) {
    const auto file = parse_entry<messages::File>(entry);
    if (file.type() == kTunnel || file.type() == kExternal) {
      refuse("it opens a device of the host, or what only a plugin of CRIU knows");
    }
    if (file.type() != kRegular) continue;
    const std::string& name = file.regular().name();
    if (file.regular().external() || !name.starts_with('/') ||
        std::ranges::contains(split(name, '/'), "..")) {
      refuse("it opens the file " + printable(name));
    }
  }
}

// CRIU makes whatever the mode says, as root of the host: a device would be one of the host's.
void ImagePrivileges::check_ghost_file(std::string_view content) {
  const auto ghost = parse_entry<messages::GhostFile>(first_image_entry(content, kGhostFileImage));
  constexpr std::array<uint32_t, 5> kHarmless = {S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK};
  if (!std::ranges::contains(kHarmless, ghost.mode() & S_IFMT)) {
    refuse("it makes a device of the host, or no kind of file that there is");
  }
}

void ImagePrivileges::add_filters(std::string_view content) {
  const auto seccomp = parse_only<messages::Seccomp>(content, kSeccompImage);
  for (const messages::SeccompFilter& filter : seccomp.filters()) {
    filters_.push_back(
        {.program = filter.program(),
         .previous = filter.has_previous() ? std::optional(filter.previous()) : std::nullopt,
         .for_all_threads = (filter.flags() & SECCOMP_FILTER_FLAG_TSYNC) != 0});
  }
}

std::vector<std::string> ImagePrivileges::beyond(const ImageLimits& limits) const {
  std::vector<std::string> found;
  find_capabilities(limits, found);
  find_filters(limits, found);
  find_namespaces(limits, found);
  find_mounts(found);
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
  for (const std::string& process : processes_) {
    const auto ids = inside_.find(process);
    if (ids == inside_.end()) refuse("the CRIU images do not say the namespaces of every process");
    for (const char* kind : {"pid", "network", "ipc", "uts", "mount"}) {
      const auto of_host = host_->ids.find(kind);
      const auto own = ids->second.ids.find(kind);
      if (own == ids->second.ids.end() || of_host == host_->ids.end() ||
          own->second == of_host->second) {
        shared.insert(kind);
      }
    }
  }
  if (limits.host_network) shared.erase("network");
  for (const std::string& kind : shared) found.push_back("the host's " + kind + " namespace");
}

// Whether it is one of those that a spec of ours has, as it has them.
bool ImagePrivileges::belongs(const Mount& mount) const {
  if (mount.place == "/" || mount.provided) return true;
  switch (mount.type) {
    case kTmpfs:
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

void ImagePrivileges::find_mounts(std::vector<std::string>& found) const {
  std::map<std::string, const Mount*> at;
  for (const Mount& mount : mounts_) {
    const bool is_first = at.emplace(mount.place, &mount).second;
    if (is_first && belongs(mount)) continue;
    found.push_back("a mount at " + printable(mount.place) + " that it was not configured with");
  }
  // What is hidden of the kernel's own file systems, as far as they have it here.
  const auto shows = [&](const std::string& top) {
    const auto mount = at.find(top);
    return mount != at.end() && is_pseudo(mount->second->type);
  };
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    if (!shows(path.path.starts_with("/sys") ? "/sys" : "/proc") || !path_exists(path.path))
      continue;
    const auto mount = at.find(path.path);
    const bool is_safe = mount != at.end() && (path.is_masked ? !is_pseudo(mount->second->type)
                                                              : mount->second->read_only);
    if (!is_safe) {
      found.push_back((path.is_masked ? "a view of " : "a way to write to ") + path.path);
    }
  }
}

}  // namespace still::criu
