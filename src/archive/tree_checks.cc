#include "archive/tree_checks.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"

namespace still::archive {
namespace {

constexpr uint64_t kPageBytes = 4096;
// Of the paths of all links, where they are remembered.
constexpr size_t kMaxLinkBytes = size_t{64} << 20;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

// "./a/b/" -> "a/b"; "./" -> "", the root of the tree.
std::string tree_path(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  if (name.empty() || name == ".") return {};
  if (name.size() > kMaxTreePathSize) refuse("the name is too long");
  if (std::ranges::count(name, '/') >= static_cast<std::ptrdiff_t>(kMaxTreeDepth)) {
    refuse("it is nested too deeply");
  }
  if (!is_plain_path(name)) refuse("the name leads out of the tree or is malformed");
  return std::string(name);
}

void check_xattrs(const TarMember& member, const ExtractOptions& options) {
  for (const auto& [name, value] : member.metadata.xattrs) {
    if (name == "security.capability" && !S_ISREG(member.metadata.mode)) {
      refuse("it is no regular file and has capabilities");
    }
    if (name.starts_with(kTrustedXattrPrefix) && !options.allow_trusted_xattrs) {
      refuse("it has the extended attribute " + printable(name));
    }
  }
}

}  // namespace

TreeChecks::Place TreeChecks::admit(const TarMember& member) {
  Place place{.path = tree_path(member.name),
              .is_directory = member.hard_link.empty() && S_ISDIR(member.metadata.mode),
              .hard_link = {}};
  if (place.path.empty() && !place.is_directory) refuse("the root of the tree is no directory");
  check_parents(place.path);
  const auto before = seen_.find(place.path);
  if (before && *before != Kind::kImplied) refuse("the name occurs twice");
  if (before && !place.is_directory) {
    refuse("a directory that is not empty is in its place");
  }
  check_xattrs(member, options_);
  check_kind(member);
  if (!member.hard_link.empty()) place.hard_link = hard_link_target(member, place.path);
  seen_.put(place.path, place.is_directory ? Kind::kDirectory : Kind::kOther);
  note_privileged(member, place.path);
  if (seen_.size() > kMaxTreeEntries) refuse("the tree has too many entries");
  return place;
}

// Every directory on the way is one, as far as the stream says.
void TreeChecks::check_parents(std::string path) {
  while (!path.empty()) {
    path = split_path(path).parent;
    if (path.empty()) return;
    const auto parent = seen_.find(path);
    if (!parent && options_.into_empty) refuse("its directory does not exist");
    if (!parent) {
      seen_.put(path, Kind::kImplied);
      continue;
    }
    if (*parent == Kind::kOther) {
      refuse("the path " + printable(path) + " leads through what is no directory, like a link");
    }
    return;
  }
}

void TreeChecks::check_kind(const TarMember& member) const {
  const bool is_plain =
      member.hard_link.empty() && (S_ISDIR(member.metadata.mode) || S_ISREG(member.metadata.mode));
  if (options_.only_plain_files && !is_plain) refuse("it is no plain file");
  if (!member.hard_link.empty()) {
    if (member.size_bytes > 0) refuse("it is a hard link with content");
    return;
  }
  switch (member.metadata.mode & S_IFMT) {
    case S_IFDIR:
    case S_IFREG:
    case S_IFIFO:
      return;
    case S_IFLNK:
      if (member.link_target.empty() || member.link_target.size() > kMaxLinkTargetSize) {
        refuse("it is a link with a malformed target");
      }
      return;
    case S_IFCHR:
    case S_IFBLK:
      if (options_.into_overlay && !is_privileged_node(member.metadata.mode, member.device)) {
        refuse("it is a device node 0:0, a whiteout, in a root file system");
      }
      if (!options_.allow_devices && !is_usual_device(member)) refuse("it is a device node");
      return;
    default:
      refuse("it is of an unknown kind");
  }
}

bool TreeChecks::is_member(std::string_view directory) const {
  return seen_.find(directory) == Kind::kDirectory;
}

bool TreeChecks::is_usual_device(const TarMember& member) const {
  return S_ISCHR(member.metadata.mode) && std::ranges::contains(options_.devices, member.device);
}

void TreeChecks::note_privileged(const TarMember& member, const std::string& path) {
  if (!member.hard_link.empty()) return;
  if (is_privileged_node(member.metadata.mode, member.device) && !is_usual_device(member)) {
    privileged_.devices.add(path);
  }
  if (has_trusted_xattrs(member.metadata.xattrs)) {
    privileged_.trusted.add(path.empty() ? "." : path);
  }
}

// Links name an earlier member, never what was in the tree before; a link to a symbolic link is a
// second name of that link, which is not followed.
std::string TreeChecks::hard_link_target(const TarMember& member, const std::string& path) const {
  std::string target_path = tree_path(member.hard_link);
  if (seen_.find(target_path) != Kind::kOther || target_path == path) {
    refuse("it is a hard link to what is no earlier member of the archive");
  }
  return target_path;
}

void read_content(TarReader& tar, const TarMember& member,
                  const std::function<void(const TarReader::Block&)>& take) {
  uint64_t position = 0;
  while (const auto block = tar.read()) {
    if (block->offset < position || block->data.size() > member.size_bytes ||
        block->offset > member.size_bytes - block->data.size()) {
      refuse("the content does not fit the size");
    }
    take(*block);
    position = block->offset + block->data.size();
  }
}

void for_each_tree_member(const Source& source, TreeChecks& checks, const TreeVisit& visit) {
  TarReader tar(source);
  while (const auto member = tar.next()) {
    try {
      visit(tar, *member, checks.admit(*member));
    } catch (const Error& error) {
      throw error.in("archive member \"" + printable_name(member->name) + "\"");
    }
  }
  tar.finish();
}

TreeSummary check_tree_tar(const Source& source, const ExtractOptions& options) {
  TreeChecks checks(options);
  TreeSummary summary;
  size_t link_bytes = 0;
  for_each_tree_member(
      source, checks, [&](TarReader& tar, const TarMember& member, const TreeChecks::Place& place) {
        if (member.hard_link.empty() && S_ISLNK(member.metadata.mode)) {
          link_bytes += place.path.size();
          if (options.names_links) summary.links.push_back(place.path);
          if (options.names_links && link_bytes > kMaxLinkBytes) refuse("it has too many links");
        }
        uint64_t content_bytes = 0;
        read_content(tar, member,
                     [&](const TarReader::Block& block) { content_bytes += block.data.size(); });
        summary.memory_bytes += (content_bytes / kPageBytes + 2) * kPageBytes;
        ++summary.entries;
        summary.has_root = summary.has_root || place.path.empty();
        summary.content_bytes += content_bytes;
      });
  summary.privileged = checks.privileged();
  return summary;
}

}  // namespace still::archive
