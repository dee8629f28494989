#include "contents/listing.h"

#include <map>
#include <utility>

#include "archive/manifest.h"
#include "archive/tree_checks.h"
#include "base/error.h"
#include "base/text.h"
#include "contents/member.h"

namespace still::contents {
namespace {

// An archive decides how many entries there are.
constexpr size_t kMaxListBytes = size_t{1} << 30;

class Lister : public archive::MemberSink {
 public:
  void manifest(std::string_view json) override { add(archive::kManifestMember, json.size()); }
  void directory(const std::string& name) override { add(name + "/", 0); }
  void link(const std::string& name, const std::string& target) override {
    add(name, target.size());
    members_.back().link_target = target;
  }
  void file(const std::string& name, uint64_t size_bytes,
            const archive::Source& /*content*/) override {
    add(name, size_bytes);
  }

  std::vector<ListedMember> take() { return std::move(members_); }

 private:
  void add(const std::string& name, uint64_t size_bytes) {
    members_.push_back(
        {.name = name, .link_target = {}, .size_bytes = size_bytes, .sha256 = {}, .fault = {}});
  }

  std::vector<ListedMember> members_;
};

using Faults = std::map<std::string, std::string>;  // by member

// What the manifest says of the members, and what it says of those that are not there.
void add_records(Listing& listing, const archive::Manifest& manifest, Faults faults) {
  for (ListedMember& member : listing.members) {
    const auto record = manifest.members.find(member.name);
    if (record != manifest.members.end()) member.sha256 = record->second.sha256;
    if (auto fault = faults.extract(member.name)) member.fault = std::move(fault.mapped());
  }
  for (auto& [name, fault] : faults) {
    const archive::MemberRecord& record = manifest.members.at(name);
    listing.members.push_back({.name = name,
                               .link_target = {},
                               .size_bytes = record.size_bytes,
                               .sha256 = record.sha256,
                               .fault = fault});
  }
}

size_t bytes_of(const TreeEntry& entry) {
  return sizeof entry + entry.path.size() + entry.link_target.size() + entry.hard_link.size();
}

}  // namespace

Listing list_members(const std::filesystem::path& archive, archive::ReadOptions options) {
  Faults faults;
  options.disagrees = [&](const std::string& member, const std::string& reason) {
    faults.emplace(member, reason);
  };
  Lister lister;
  const auto contents = archive::read_archive(archive, lister, options);
  Listing listing{.has_digests = contents.manifest.has_value(), .members = lister.take()};
  if (contents.manifest) add_records(listing, *contents.manifest, std::move(faults));
  return listing;
}

std::vector<TreeEntry> list_tree(const std::filesystem::path& archive, const std::string& member,
                                 const archive::ReadOptions& options) {
  std::vector<TreeEntry> entries;
  size_t bytes = 0;
  const auto add = [&](archive::TarReader& /*tar*/, const archive::TarMember& entry,
                       const archive::TreeChecks::Place& place) {
    entries.push_back({.path = place.path,
                       .mode = entry.metadata.mode,
                       .uid = entry.metadata.uid,
                       .gid = entry.metadata.gid,
                       .size_bytes = entry.size_bytes,
                       .modified = entry.metadata.mtime,
                       .link_target = entry.link_target,
                       .hard_link = place.hard_link,
                       .device = entry.device});
    bytes += bytes_of(entries.back());
    if (bytes <= kMaxListBytes) return;
    throw Error(ErrorKind::kUnsupported, "the tree has too many entries for a list",
                "take it out with `still archive extract`, and list it with tar -tv");
  };
  read_member(archive, member, options, [&](uint64_t /*size*/, const archive::Source& content) {
    archive::TreeChecks checks(kLooking);
    archive::for_each_tree_member(tree_stream(member, content), checks, add);
  });
  return entries;
}

}  // namespace still::contents
