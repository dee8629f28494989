#include "archive/member_names.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>

#include "archive/manifest.h"
#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"

namespace still::archive {
namespace {

// Files at the top.
constexpr std::array<std::string_view, 9> kFiles = {
    kManifestMember, "config.dump",           "spec.dump",      "rootfs-diff.tar", "deleted.files",
    "stats-dump",    "devshm-checkpoint.tar", "network.status", "ctr.log"};
// Members that are read into memory as a whole.
constexpr std::array<std::string_view, 5> kJsonFiles = {kManifestMember, "config.dump", "spec.dump",
                                                        "deleted.files", "network.status"};
constexpr const char* kCapabilityXattr = "security.capability";
constexpr uint64_t kMaxJsonSize = uint64_t{64} << 20;
// Directories with whatever the runtime and CRIU put there.
constexpr std::array<std::string_view, 3> kDirectories = {"checkpoint", "pre-checkpoint",
                                                          "artifacts"};
constexpr std::string_view kVolumes = "volumes";
constexpr std::string_view kTarSuffix = ".tar";

constexpr size_t kMaxNameSize = 1024;
constexpr size_t kMaxDepth = 8;

// CRIU's images of a dump that builds on an earlier one.
constexpr std::string_view kParentLink = "checkpoint/parent";
constexpr std::string_view kParentTarget = "../pre-checkpoint";

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

bool is_printable(std::string_view name) { return printable(name) == name; }

bool is_file_name(std::string_view name) {
  if (std::ranges::contains(kFiles, name)) return true;
  const auto parts = split(name, '/');
  if (parts[0] == kVolumes) {
    return parts.size() == 2 && parts[1].size() > kTarSuffix.size() &&
           parts[1].ends_with(kTarSuffix);
  }
  return parts.size() > 1 && std::ranges::contains(kDirectories, parts[0]);
}

bool is_directory_name(std::string_view name) {
  const auto parts = split(name, '/');
  return name == kVolumes || std::ranges::contains(kDirectories, parts[0]);
}

}  // namespace

void check_member(const TarMember& member) {
  std::string_view name = member.name;
  const bool is_directory = S_ISDIR(member.metadata.mode);
  if (is_directory && name.ends_with('/')) name.remove_suffix(1);
  if (!is_plain_path(name) || !is_printable(name) || name.size() > kMaxNameSize ||
      split(name, '/').size() > kMaxDepth) {
    refuse("the name is malformed");
  }
  if (!member.hard_link.empty()) refuse("it is a hard link");
  if (S_ISLNK(member.metadata.mode)) {
    if (name != kParentLink || member.link_target != kParentTarget) refuse("it is a symbolic link");
    return;
  }
  if (!is_directory && !S_ISREG(member.metadata.mode)) refuse("it is no regular file");
  if (member.data) refuse("it is a sparse file");
  if (!is_directory && (member.metadata.mode & (S_ISUID | S_ISGID)) != 0) {
    refuse("it is a set-user-ID or set-group-ID file");
  }
  if (member.metadata.xattrs.contains(kCapabilityXattr)) refuse("it has capabilities");
  if (!(is_directory ? is_directory_name(name) : is_file_name(name))) {
    refuse("a checkpoint archive has no such member");
  }
  if (member.size_bytes > kMaxJsonSize && std::ranges::contains(kJsonFiles, name)) {
    refuse("it is too large");
  }
}

}  // namespace still::archive
