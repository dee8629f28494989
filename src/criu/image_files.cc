#include "criu/image_files.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"

namespace still::criu {
namespace {

constexpr std::string_view kOld =
    "versions of CRIU before 3.4 wrote it, and what is in it is not checked";
constexpr std::string_view kKernel = "it changes what the whole machine shares";

// The names are those of CRIU's criu/image-desc.c, with the files that runtimes put beside them.
constexpr std::array kKinds = std::to_array<ImageFileKind>({
    {"inventory.img", ImageUse::kChecked},
    {"pstree.img", ImageUse::kChecked},
    {"core-%u.img", ImageUse::kChecked},
    {"ids-%u.img", ImageUse::kChecked},
    {"files.img", ImageUse::kChecked},
    {"seccomp.img", ImageUse::kChecked},
    {"mountpoints-%u.img", ImageUse::kChecked},
    {"netns-%u.img", ImageUse::kChecked},
    {"cgroup.img", ImageUse::kChecked},
    {"remap-fpath.img", ImageUse::kChecked},
    {"ghost-file-%x.img", ImageUse::kHead},
    {"tmpfs-%u.tar.gz.img", ImageUse::kTmpfs},
    {"tmpfs-dev-%u.tar.gz.img", ImageUse::kTmpfs},

    {"cpuinfo.img", ImageUse::kInside},
    {"cpu-affinity.txt", ImageUse::kInside},  // by Still (criu/affinity.h)
    {"descriptors.json", ImageUse::kInside},  // by runtimes: what standard input and output were
    {"fdinfo-%u.img", ImageUse::kInside},
    {"fifo-data.img", ImageUse::kInside},
    {"filelocks.img", ImageUse::kInside},
    {"fs-%u.img", ImageUse::kInside},
    {"ipcns-msg-%u.img", ImageUse::kInside},
    {"ipcns-sem-%u.img", ImageUse::kInside},
    {"ipcns-shm-%u.img", ImageUse::kInside},
    {"ipcns-var-%u.img", ImageUse::kInside},
    {"memfd.img", ImageUse::kInside},
    {"mm-%u.img", ImageUse::kInside},
    {"pagemap-%u.img", ImageUse::kInside},
    {"pagemap-shmem-%u.img", ImageUse::kInside},
    {"pages-%u.img", ImageUse::kInside},
    {"pipes-data.img", ImageUse::kInside},
    {"sigacts-%u.img", ImageUse::kInside},
    {"sk-queues.img", ImageUse::kInside},
    {"tcp-stream-%x.img", ImageUse::kInside},
    {"timens-%u.img", ImageUse::kInside},
    {"tty-data.img", ImageUse::kInside},
    {"tty-info.img", ImageUse::kInside},
    {"utsns-%u.img", ImageUse::kInside},

    {"apparmor.img", ImageUse::kRefused, kKernel},
    {"autofs-%u.img", ImageUse::kRefused, kKernel},
    {"binfmt-misc-%u.img", ImageUse::kRefused, kKernel},
    {"binfmt-misc.img", ImageUse::kRefused, kKernel},
    {"bpfmap-data.img", ImageUse::kRefused, kKernel},
    {"irmap-cache.img", ImageUse::kRefused, "it names files by their place on a disk of the host"},
    {"pidns-%u.img", ImageUse::kRefused, "it is for a pid namespace of the host"},
    {"userns-%u.img", ImageUse::kRefused, "it maps users of the host"},

    {"ifaddr-%u.img", ImageUse::kNetwork},
    {"ip6tables-%u.img", ImageUse::kNetwork},
    {"iptables-%u.img", ImageUse::kNetwork},
    {"netdev-%u.img", ImageUse::kNetwork},
    {"netns-ct-%u.img", ImageUse::kNetwork},
    {"netns-exp-%u.img", ImageUse::kNetwork},
    {"nftables-%u.img", ImageUse::kNetwork},
    {"route-%u.img", ImageUse::kNetwork},
    {"route6-%u.img", ImageUse::kNetwork},
    {"rule-%u.img", ImageUse::kNetwork},

    {"bpfmap-file.img", ImageUse::kRefused, kOld},
    {"creds-%u.img", ImageUse::kRefused, kOld},
    {"eventfd.img", ImageUse::kRefused, kOld},
    {"eventpoll-tfd.img", ImageUse::kRefused, kOld},
    {"eventpoll.img", ImageUse::kRefused, kOld},
    {"ext-files.img", ImageUse::kRefused, kOld},
    {"fanotify-mark.img", ImageUse::kRefused, kOld},
    {"fanotify.img", ImageUse::kRefused, kOld},
    {"fifo.img", ImageUse::kRefused, kOld},
    {"inetsk.img", ImageUse::kRefused, kOld},
    {"inotify-wd.img", ImageUse::kRefused, kOld},
    {"inotify.img", ImageUse::kRefused, kOld},
    {"itimers-%u.img", ImageUse::kRefused, kOld},
    {"netlinksk.img", ImageUse::kRefused, kOld},
    {"ns-files.img", ImageUse::kRefused, kOld},
    {"packetsk.img", ImageUse::kRefused, kOld},
    {"pages-shmem-%u.img", ImageUse::kRefused, kOld},
    {"pidfd.img", ImageUse::kRefused, kOld},
    {"pipes.img", ImageUse::kRefused, kOld},
    {"posix-timers-%u.img", ImageUse::kRefused, kOld},
    {"reg-files.img", ImageUse::kRefused, kOld},
    {"rlimit-%u.img", ImageUse::kRefused, kOld},
    {"signal-p-%u.img", ImageUse::kRefused, kOld},
    {"signal-s-%u.img", ImageUse::kRefused, kOld},
    {"signalfd.img", ImageUse::kRefused, kOld},
    {"timerfd.img", ImageUse::kRefused, kOld},
    {"tty.img", ImageUse::kRefused, kOld},
    {"tunfile.img", ImageUse::kRefused, kOld},
    {"unixsk.img", ImageUse::kRefused, kOld},
    {"vmas-%u.img", ImageUse::kRefused, kOld},
});

bool matches(std::string_view file, std::string_view pattern) {
  return file == pattern || !number_in(file, pattern).empty();
}

}  // namespace

std::span<const ImageFileKind> image_file_kinds() { return kKinds; }

std::string_view number_in(std::string_view file, std::string_view pattern) {
  const size_t place = pattern.find('%');
  if (place == std::string_view::npos) return {};
  const std::string_view prefix = pattern.substr(0, place);
  const std::string_view suffix = pattern.substr(place + 2);
  const std::string_view digits = pattern[place + 1] == 'x' ? "0123456789abcdef" : "0123456789";
  if (file.size() <= prefix.size() + suffix.size() || !file.starts_with(prefix) ||
      !file.ends_with(suffix)) {
    return {};
  }
  file.remove_prefix(prefix.size());
  file.remove_suffix(suffix.size());
  return file.find_first_not_of(digits) == std::string_view::npos ? file : std::string_view();
}

const ImageFileKind& image_file_kind(std::string_view file) {
  const auto kind = std::ranges::find_if(
      kKinds, [&](const ImageFileKind& each) { return matches(file, each.pattern); });
  if (kind == kKinds.end()) throw Error(ErrorKind::kCorrupt, "CRIU has no image of that name");
  if (kind->use == ImageUse::kRefused) throw Error(ErrorKind::kCorrupt, std::string(kind->reason));
  return *kind;
}

}  // namespace still::criu
