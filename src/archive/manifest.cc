#include "archive/manifest.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"

namespace still::archive {
namespace {

using nlohmann::json;

// Deeper than any manifest; a hostile one must not fill the memory with nothing but brackets.
constexpr int kMaxDepth = 8;

json instant_json(const Instant& instant) {
  return {{"wall_ns", instant.wall.count()}, {"monotonic_ns", instant.monotonic.count()}};
}

Instant parse_instant(const json& value) {
  return {std::chrono::nanoseconds(value.at("wall_ns").get<int64_t>()),
          std::chrono::nanoseconds(value.at("monotonic_ns").get<int64_t>())};
}

// Names of files are bytes; JSON holds text only.
json paths_json(const std::vector<std::string>& paths) {
  json list = json::array();
  for (const std::string& path : paths) list.push_back(printable(path));
  return list;
}

json some_paths_json(const SomePaths& paths) {
  return {{"count", paths.count}, {"first", paths_json(paths.first)}};
}

json tree_json(const TreeRecord& tree) {
  return {{"name", tree.name},
          {"member", tree.member},
          {"method", tree.method},
          {"files", tree.files},
          {"bytes", tree.bytes},
          {"foreign_writers", paths_json(tree.foreign_writers)},
          {"sockets", paths_json(tree.sockets)},
          {"device_nodes", some_paths_json(tree.privileged.devices)},
          {"trusted_xattrs", some_paths_json(tree.privileged.trusted)}};
}

SomePaths parse_some_paths(const json& tree, const char* key) {
  if (!tree.contains(key)) return {};
  return {.count = tree[key].at("count"), .first = tree[key].at("first")};
}

TreeRecord parse_tree(const json& value) {
  return {.name = value.at("name"),
          .member = value.at("member"),
          .method = value.at("method"),
          .files = value.at("files"),
          .bytes = value.at("bytes"),
          .foreign_writers = value.at("foreign_writers"),
          .sockets = value.at("sockets"),
          .privileged = {.devices = parse_some_paths(value, "device_nodes"),
                         .trusted = parse_some_paths(value, "trusted_xattrs")}};
}

json members_json(const std::map<std::string, MemberRecord>& members) {
  json object = json::object();
  for (const auto& [name, member] : members) {
    object[name] = {{"size", member.size_bytes}, {"sha256", member.sha256}};
  }
  return object;
}

std::map<std::string, MemberRecord> parse_members(const json& value) {
  std::map<std::string, MemberRecord> members;
  for (const auto& [name, member] : value.items()) {
    members[name] = {.size_bytes = member.at("size"), .sha256 = member.at("sha256")};
  }
  return members;
}

json parse_shallow(std::string_view text) {
  return json::parse(text, [](int depth, json::parse_event_t event, const json& value) {
    if (depth > kMaxDepth) throw Error(ErrorKind::kCorrupt, "it is nested too deeply");
    // A number that is too large to be whole would be converted to anything.
    if (event == json::parse_event_t::value && value.is_number_float()) {
      throw Error(ErrorKind::kCorrupt, "it has a number that is not whole");
    }
    return true;
  });
}

void check_version(const json& document) {
  const int64_t version = document.at("format_version");
  if (version >= 1 && version <= kFormatVersion) return;
  throw Error(ErrorKind::kUnsupported,
              "the archive has format version " + std::to_string(version) + ", this Still reads " +
                  std::to_string(kFormatVersion),
              "use a newer Still");
}

std::optional<std::string> parse_cgroup(const json& document) {
  if (!document.contains("cgroup")) return std::nullopt;
  const std::string path = document["cgroup"];
  if (!path.empty() && !(path.starts_with('/') && is_plain_path(path.substr(1)))) {
    throw Error(ErrorKind::kCorrupt, "its cgroup is no path");
  }
  return path;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  json trees = json::array();
  for (const TreeRecord& tree : manifest.trees) trees.push_back(tree_json(tree));
  json document = {
      {"format_version", manifest.format_version},
      {"engine", manifest.engine},
      {"container", {{"id", manifest.container_id}, {"name", manifest.container_name}}},
      {"image", manifest.image},
      {"runtime", manifest.runtime},
      {"versions", manifest.versions},
      {"architecture", manifest.architecture},
      {"cgroup_version", manifest.cgroup_version},
      {"live", manifest.live},
      {"consistent", manifest.consistent},
      {"inconsistent_because", manifest.inconsistent_because},
      {"left_out", manifest.left_out},
      {"memory_cut", manifest.memory_cut},
      {"memory_cut_because", manifest.memory_cut_because},
      {"instants",
       {{"frozen", instant_json(manifest.frozen)},
        {"dump_start", instant_json(manifest.dump_start)},
        {"dump_end", instant_json(manifest.dump_end)},
        {"cut_end", instant_json(manifest.cut_end)},
        {"thawed", instant_json(manifest.thawed)}}},
      {"pause_ns", manifest.pause.count()},
      {"trees", trees},
      {"members", members_json(manifest.members)},
  };
  if (manifest.cgroup) document["cgroup"] = *manifest.cgroup;
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Manifest parse_manifest(std::string_view text) try {
  const json document = parse_shallow(text);
  check_version(document);
  const json& instants = document.at("instants");
  Manifest manifest{
      .format_version = document.at("format_version"),
      .engine = document.value("engine", "still"),
      .container_id = document.at("container").at("id"),
      .container_name = document.at("container").at("name"),
      .image = document.at("image"),
      .runtime = document.at("runtime"),
      .versions = document.at("versions"),
      .architecture = document.at("architecture"),
      .cgroup_version = document.at("cgroup_version"),
      .cgroup = parse_cgroup(document),
      .live = document.at("live"),
      .consistent = document.at("consistent"),
      .inconsistent_because = document.at("inconsistent_because"),
      .left_out = document.value("left_out", std::vector<std::string>()),
      .memory_cut = document.value("memory_cut", ""),
      .memory_cut_because = document.value("memory_cut_because", ""),
      .frozen = parse_instant(instants.at("frozen")),
      .dump_start = parse_instant(instants.at("dump_start")),
      .dump_end = parse_instant(instants.at("dump_end")),
      .cut_end = parse_instant(instants.at("cut_end")),
      .thawed = parse_instant(instants.at("thawed")),
      .pause = std::chrono::nanoseconds(document.at("pause_ns").get<int64_t>()),
      .trees = {},
      .members = parse_members(document.at("members")),
  };
  for (const json& tree : document.at("trees")) manifest.trees.push_back(parse_tree(tree));
  return manifest;
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt,
              std::string(kManifestMember) + " is damaged: " + printable(error.what()));
} catch (const Error& error) {
  throw error.in(kManifestMember);
}

}  // namespace still::archive
