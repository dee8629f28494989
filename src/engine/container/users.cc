#include "engine/container/users.h"

#include <fcntl.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/rootfs.h"
#include "os/files.h"

namespace still::engine {
namespace {

// The lines of passwd or group as fields; lines with fewer are no entries.
std::vector<std::vector<std::string>> entries(std::string_view file, size_t fields) {
  std::vector<std::vector<std::string>> result;
  for (const std::string& line : split(file, '\n')) {
    auto parts = split(trim(line), ':');
    if (parts.size() >= fields && !parts[0].empty()) result.push_back(std::move(parts));
  }
  return result;
}

std::optional<uint32_t> parse_user_id(std::string_view text) {
  const auto number = parse_integer(text);
  // The greatest one means "no change" to chown and setresuid.
  if (!number || *number < 0 || *number >= std::numeric_limits<uint32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(*number);
}

struct PasswdEntry {
  std::string name;
  uid_t uid;
  gid_t gid;
  std::string home;
};

std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view user) {
  const auto wanted_id = parse_user_id(user);
  std::optional<PasswdEntry> by_id;
  for (const auto& fields : entries(passwd, 6)) {
    const auto uid = parse_user_id(fields[2]);
    const auto gid = parse_user_id(fields[3]);
    if (!uid || !gid) continue;
    PasswdEntry entry{fields[0], *uid, *gid, fields[5]};
    if (fields[0] == user) return entry;
    if (wanted_id == uid && !by_id) by_id = std::move(entry);
  }
  return by_id;
}

gid_t find_group(std::string_view file, const std::string& group) {
  for (const auto& fields : entries(file, 3)) {
    const auto gid = parse_user_id(fields[2]);
    if (gid && fields[0] == group) return *gid;
  }
  if (const auto number = parse_user_id(group)) return *number;
  throw Error(ErrorKind::kNotFound,
              "the root file system knows no group \"" + printable(group) + "\"",
              "give a number, or a name that is in its /etc/group");
}

std::vector<gid_t> groups_with_member(std::string_view file, const std::string& user) {
  std::vector<gid_t> groups;
  for (const auto& fields : entries(file, 4)) {
    const auto gid = parse_user_id(fields[2]);
    if (gid && std::ranges::contains(split(fields[3], ','), user)) groups.push_back(*gid);
  }
  return groups;
}

// Far more than any real one, little enough to read.
constexpr off_t kLargestUserFile = off_t{16} << 20;

std::string read_user_file(const Fd& rootfs, const std::string& path) {
  // Without blocking: the image may have put a FIFO there.
  const auto file = open_in_root(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return {};
  const struct stat status = stat_fd(*file);
  if (!S_ISREG(status.st_mode) || status.st_size > kLargestUserFile) {
    throw Error(ErrorKind::kCorrupt, "/" + path + " of the root file system is no ordinary file");
  }
  return read_all(*file);
}

}  // namespace

ResolvedUser resolve_user(std::string_view user, std::string_view passwd, std::string_view group) {
  const size_t colon = user.find(':');
  std::string name(user.substr(0, colon));
  if (name.empty()) name = "0";
  const auto entry = find_user(passwd, name);
  const auto number = parse_user_id(name);
  if (!entry && !number) {
    throw Error(ErrorKind::kNotFound,
                "the root file system knows no user \"" + printable(name) + "\"",
                "give a number, or a name that is in its /etc/passwd");
  }
  ResolvedUser result;
  result.ids.uid = entry ? entry->uid : *number;
  result.ids.gid = entry ? entry->gid : 0;
  result.home = entry && !entry->home.empty() ? entry->home : "/";
  if (colon != std::string_view::npos) {
    result.ids.gid = find_group(group, std::string(user.substr(colon + 1)));
  } else if (entry) {
    result.ids.additional_gids = groups_with_member(group, entry->name);
  }
  return result;
}

ResolvedUser resolve_user(std::string_view user, const Fd& rootfs) {
  return resolve_user(user, read_user_file(rootfs, "etc/passwd"),
                      read_user_file(rootfs, "etc/group"));
}

}  // namespace still::engine
