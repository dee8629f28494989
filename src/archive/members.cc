#include "archive/members.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "archive/manifest.h"
#include "base/text.h"

namespace still::archive {
namespace {

using nlohmann::json;

struct Row {
  MemberKind kind;
  std::string_view name;
  bool is_directory = false;  // of members of that kind
};

constexpr std::array kTable = std::to_array<Row>({
    {MemberKind::kManifest, kManifestMember},
    {MemberKind::kConfig, "config.dump"},
    {MemberKind::kSpec, "spec.dump"},
    {MemberKind::kImage, "checkpoint", true},
    {MemberKind::kRootfs, "rootfs-diff.tar"},
    {MemberKind::kDeletedFiles, "deleted.files"},
    {MemberKind::kShm, "devshm-checkpoint.tar"},
    {MemberKind::kVolume, "volumes", true},
    {MemberKind::kStatistics, "stats-dump"},
    {MemberKind::kLog, "ctr.log"},
    {MemberKind::kNetwork, "network.status"},
    {MemberKind::kReplacedFiles, "artifacts/replaced.files"},
    {MemberKind::kEtc, "artifacts/etc-files.tar"},
    {MemberKind::kArtifacts, "artifacts"},
});

bool fits(const Row& row, std::string_view member) {
  if (!row.is_directory) return member == row.name;
  return member.starts_with(row.name) && member.substr(row.name.size()).starts_with('/');
}

}  // namespace

std::string name_of(MemberKind kind) {
  const auto row = std::ranges::find(kTable, kind, &Row::kind);
  return row == kTable.end() ? "" : std::string(row->name);
}

std::string volume_member(const std::string& volume) {
  return name_of(MemberKind::kVolume) + "/" + volume + ".tar";
}

MemberKind kind_of(std::string_view member) {
  const auto row = std::ranges::find_if(kTable, [&](const Row& one) { return fits(one, member); });
  return row == kTable.end() ? MemberKind::kOther : row->kind;
}

Error damaged_member(MemberKind kind, const std::exception& error) {
  return {ErrorKind::kCorrupt, name_of(kind) + " is damaged: " + printable(error.what())};
}

ConfigIdentity parse_config_identity(std::string_view text) try {
  const json dump = json::parse(text);
  return {dump.at("id"), dump.at("name")};
} catch (const json::exception& error) {
  throw damaged_member(MemberKind::kConfig, error);
}

void check_spec_dump(std::string_view text) try {
  if (json::parse(text).is_object()) return;
  throw Error(ErrorKind::kCorrupt, name_of(MemberKind::kSpec) + " is no JSON object");
} catch (const json::exception& error) {
  throw damaged_member(MemberKind::kSpec, error);
}

}  // namespace still::archive
