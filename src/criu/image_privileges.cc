#include "criu/image_privileges.h"

#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/image_files.h"
#include "criu/images.pb.h"
#include "criu/numbers.h"
#include "os/files.h"

namespace still::criu {
namespace {

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

// A path in the container that leads nowhere else.
bool is_inside(std::string_view path) {
  return path.starts_with('/') && !std::ranges::contains(split(path, '/'), "..");
}

}  // namespace

Scheduling Scheduling::of_this_process() {
  const auto limit = [](int resource) {
    rlimit value{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &value);
    return value.rlim_max;
  };
  const auto adjustment = read_file_if_exists("/proc/self/oom_score_adj").value_or("");
  return {.nice = ::getpriority(PRIO_PROCESS, 0),
          .oom_score_adjustment = static_cast<int>(parse_integer(trim(adjustment)).value_or(0)),
          .realtime_priority = limit(RLIMIT_RTPRIO),
          .nice_limit = limit(RLIMIT_NICE)};
}

void ImagePrivileges::add(const std::string& file, std::string_view content) {
  if (file == "inventory.img") {
    add_inventory(content);
  } else if (file == "pstree.img") {
    add_tree(content);
  } else if (file == "files.img") {
    add_files(content);
  } else if (file == "seccomp.img") {
    add_filters(content);
  } else if (file == "cgroup.img") {
    add_cgroups(content);
  } else if (file == "remap-fpath.img") {
    add_remaps(content);
  } else if (const auto number = number_in(file, "core-%u.img"); !number.empty()) {
    add_core(std::string(number), content);
  } else if (const auto process = number_in(file, "ids-%u.img"); !process.empty()) {
    add_namespaces(std::string(process), content);
  } else if (!number_in(file, "mountpoints-%u.img").empty()) {
    add_mounts(content);
  } else if (!number_in(file, "netns-%u.img").empty()) {
    check_network(content);
  } else if (!number_in(file, "ghost-file-%x.img").empty()) {
    check_ghost_file(content);
  }
}

void ImagePrivileges::add_tmpfs(const std::string& file, uint64_t size_bytes,
                                std::vector<std::string> links) {
  tmpfs_[file] = {size_bytes, std::move(links)};
}

uint64_t ImagePrivileges::tmpfs_bytes() const {
  uint64_t sum = 0;
  for (const auto& [file, content] : tmpfs_) sum += content.size_bytes;
  return sum;
}

std::vector<std::string> ImagePrivileges::made_paths() const {
  std::vector<std::string> paths;
  for (const uint32_t id : remapped_) {
    const auto name = names_.find(id);
    if (name != names_.end()) paths.push_back(name->second);
  }
  return paths;
}

// One that is needed for the same by several processes is named once.
void ImagePrivileges::need(const char* capability, const std::string& for_what) {
  needs_.emplace(for_what, capability);
}

void ImagePrivileges::add_inventory(std::string_view content) {
  const auto inventory = parse_only<messages::Inventory>(content, kInventoryImage);
  if (inventory.has_of_criu()) host_ = Namespaces{numbers(inventory.of_criu())};
  if (inventory.has_cgroup_set()) set_of_criu_ = inventory.cgroup_set();
  if (inventory.plugins().names_size() > 0) refuse("it wants a plugin of CRIU");
}

void ImagePrivileges::add_tree(std::string_view content) {
  for (const std::string_view entry : image_entries(content, kTreeImage)) {
    const auto process = parse_entry<messages::Tree>(entry);
    if (process.parent() == 0) roots_.insert(std::to_string(process.pid()));
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
                   bits(credentials.effective()) | bits(credentials.bounding()) |
                   bits(credentials.ambient());
  if (credentials.no_new_privileges() == 0) without_no_new_privileges_ = true;
  const std::string& label = credentials.security_label();
  if (!label.empty() && label != "unconfined") labels_.insert(label);
  add_scheduling(core);
  if (thread.has_cgroup_set()) sets_of_[number].insert(thread.cgroup_set());
  // That of CRIU before version 4, and of a later one where the thread has none.
  if (core.process().has_cgroup_set()) sets_of_[number].insert(core.process().cgroup_set());
  const uint32_t mode =
      thread.has_seccomp_mode() ? thread.seccomp_mode() : core.process().seccomp_mode();
  if (mode == SECCOMP_MODE_FILTER) {
    filter_of_[number] =
        thread.has_seccomp_mode() ? thread.seccomp_filter() : core.process().seccomp_filter();
  } else if (mode != SECCOMP_MODE_STRICT) {
    without_filter_.insert(number);
  }
}

void ImagePrivileges::add_scheduling(const messages::Core& core) {
  const messages::Thread& thread = core.thread();
  const auto policy = static_cast<int>(thread.scheduling_policy());
  constexpr std::array kOrdinary = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE};
  if (!std::ranges::contains(kOrdinary, policy)) need("CAP_SYS_NICE", "a real-time priority");
  scheduling_.nice = std::min(scheduling_.nice, thread.nice());
  const messages::Process& process = core.process();
  scheduling_.oom_score_adjustment =
      std::min(scheduling_.oom_score_adjustment, process.oom_score_adjustment());
  const auto& limits = process.resource_limits().limits();
  const auto hard = [&](int resource) {
    return resource < limits.size() ? limits[resource].hard() : 0;
  };
  scheduling_.realtime_priority = std::max(scheduling_.realtime_priority, hard(RLIMIT_RTPRIO));
  scheduling_.nice_limit = std::max(scheduling_.nice_limit, hard(RLIMIT_NICE));
  for (const messages::PosixTimer& timer : process.timers().posix()) add_clock(timer.clock());
}

// Those that wake a sleeping machine.
void ImagePrivileges::add_clock(uint32_t clock) {
  if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) {
    need("CAP_WAKE_ALARM", "a timer that wakes the machine");
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
                       .place = mount.mountpoint(),
                       .options = mount.options(),
                       .id = std::to_string(mount.id()),
                       .device = std::to_string(mount.device())});
    if (mount.of_plugin()) refuse("it wants a plugin of CRIU");
    if (mount.has_key() && !mount.key().starts_with('/')) mounts_.back().type = 0;
  }
}

void ImagePrivileges::add_files(std::string_view content) {
  const Entries entries = image_entries(content, kFilesImage);
  // CRIU would look for them in images of its early versions.
  if (entries.empty()) refuse("it has no open files");
  for (const std::string_view entry : entries) add_file(parse_entry<messages::File>(entry));
}

void ImagePrivileges::add_file(const messages::File& file) {
  switch (file.type()) {
    case kRegular: {
      const std::string& name = file.regular().name();
      if (file.regular().external() || !is_inside(name)) {
        refuse("it opens the file " + printable(name));
      }
      names_[file.regular().id()] = name;
      return;
    }
    case kInternetSocket:
      if (file.internet().type() == SOCK_RAW) need("CAP_NET_RAW", "a raw socket");
      return;
    case kPacketSocket:
      return need("CAP_NET_RAW", "a packet socket");
    case kNetlinkSocket:
      // What a program without privileges may listen to, in its own network namespace.
      if (file.netlink().groups_size() > 0 && file.netlink().protocol() != NETLINK_ROUTE &&
          file.netlink().protocol() != NETLINK_KOBJECT_UEVENT) {
        need("CAP_NET_ADMIN", "a socket that listens to the kernel");
      }
      return;
    case kTimer:
      return add_clock(file.timer().clock());
    case kInotify:
      for (const messages::Watch& watch : file.inotify().watches()) {
        // By a handle CRIU finds every file of the file system, in the container's view or not.
        if (!watch.file().has_path())
          need("CAP_DAC_READ_SEARCH", "a watch of a file without a name");
        if (watch.file().has_path() && !is_inside("/" + watch.file().path())) {
          refuse("it watches the file " + printable(watch.file().path()));
        }
      }
      return;
    case kFanotify:
      return need("CAP_SYS_ADMIN", "a watch of whole file systems (fanotify)");
    case kBpfMap:
      return need("CAP_SYS_ADMIN", "a map of the kernel's BPF");
    case kTunnel:
    case kExternal:
      refuse("it opens a device of the host, or what only a plugin of CRIU knows");
    case kPipe:
    case kFifo:
    case kUnixSocket:
    case kEventCounter:
    case kEventPoll:
    case kSignals:
    case kTerminal:
    case kNamespace:
    case kMemory:
    case kProcess:
      return;
    default:
      refuse("it opens a file of a kind that CRIU does not know");
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

// Whatever it says, the runtime's takes its place (criu/network.h).
void ImagePrivileges::check_network(std::string_view content) {
  parse_only<messages::NetworkNamespace>(content, kNetworkImage);
}

void ImagePrivileges::add_remaps(std::string_view content) {
  for (const std::string_view entry : image_entries(content, kRemapImage)) {
    remapped_.insert(parse_entry<messages::Remap>(entry).file());
  }
}

void ImagePrivileges::add_cgroups(std::string_view content) {
  const auto cgroups = parse_only<messages::Cgroups>(content, kCgroupImage);
  for (const messages::CgroupSet& set : cgroups.sets()) cgroup_sets_.insert(set.id());
}

void ImagePrivileges::add_filters(std::string_view content) {
  const auto seccomp = parse_only<messages::Seccomp>(content, kSeccompImage);
  // The kernel tells CRIU of these alone. Others fail, at a step at which CRIU does not end by
  // itself.
  constexpr uint32_t kKnownFlags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG;
  for (const messages::SeccompFilter& filter : seccomp.filters()) {
    if ((filter.flags() & ~kKnownFlags) != 0) {
      refuse("a seccomp filter has flags that no checkpoint has");
    }
    filters_.push_back(
        {.program = filter.program(),
         .previous = filter.has_previous() ? std::optional(filter.previous()) : std::nullopt,
         .for_all_threads = (filter.flags() & SECCOMP_FILTER_FLAG_TSYNC) != 0});
  }
}

}  // namespace still::criu
