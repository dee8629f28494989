#include "cli/output/kept_view.h"

#include "base/text.h"
#include "cli/output/human.h"
#include "os/clock.h"

namespace still::cli {
namespace {

constexpr size_t kShortId = 12;
constexpr const char* kUnknown = "-";

// Null where nobody has said it: only the manifest of an archive does.
Json certificate(const engine::KeptCheckpoint& kept) {
  return kept.manifest ? Json(kept.manifest->consistent) : Json(nullptr);
}

Json checkpoint_json(const store::ContainerRecord& container, const engine::KeptCheckpoint& kept) {
  const archive::Manifest manifest = kept.manifest.value_or(archive::Manifest{});
  Json json;
  json["Name"] = name_of(container, kept.kind);
  json["ContainerName"] = container.name;
  json["ContainerID"] = container.id;
  json["Kind"] = to_string(kept.kind);
  json["CreatedAt"] = rfc3339(kept.at);
  json["Size"] = kept.bytes;
  json["Path"] = kept.path;
  json["PauseMicroseconds"] = nullptr;
  if (kept.manifest) {
    json["PauseMicroseconds"] =
        std::chrono::duration_cast<std::chrono::microseconds>(manifest.pause).count();
  }
  json["Consistent"] = certificate(kept);
  json["Reason"] = manifest.inconsistent_because;
  json["MemoryCut"] = manifest.memory_cut;
  return json;
}

Json trees_json(const archive::Manifest& manifest) {
  Json trees = Json::array();
  for (const archive::TreeRecord& tree : manifest.trees) {
    trees.push_back({{"Name", tree.name},
                     {"Method", tree.method},
                     {"Files", tree.files},
                     {"Bytes", tree.bytes}});
  }
  return trees;
}

}  // namespace

std::string name_of(const store::ContainerRecord& container, engine::CheckpointKind kind) {
  return container.name + "/" + to_string(kind);
}

ListEntry list_entry(const store::ContainerRecord& container, const engine::KeptCheckpoint& kept,
                     bool full) {
  ListEntry entry{.json = checkpoint_json(container, kept), .fields = {}};
  const Json certified = certificate(kept);
  entry.fields = entry.json;
  entry.fields["ContainerID"] = full ? container.id : container.id.substr(0, kShortId);
  entry.fields["Created"] = human_age(since(kept.at)) + " ago";
  entry.fields["Size"] = human_size(kept.bytes);
  entry.fields["Pause"] = kept.manifest ? human_duration(kept.manifest->pause) : kUnknown;
  entry.fields["Certified"] = certified.is_null() ? kUnknown : certified ? "yes" : "no";
  if (!kept.manifest || kept.manifest->memory_cut.empty()) entry.fields["MemoryCut"] = kUnknown;
  return entry;
}

Json inspect_checkpoint(const store::ContainerRecord& container,
                        const engine::KeptCheckpoint& kept) {
  Json json = checkpoint_json(container, kept);
  if (!kept.manifest) return json;
  json["MemoryCutBecause"] = kept.manifest->memory_cut_because;
  json["Image"] = kept.manifest->image;
  json["Runtime"] = kept.manifest->runtime;
  json["Versions"] = kept.manifest->versions;
  json["LeftOut"] = kept.manifest->left_out;
  json["Trees"] = trees_json(*kept.manifest);
  return json;
}

}  // namespace still::cli
