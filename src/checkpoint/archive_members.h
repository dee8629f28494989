// The members of a checkpoint archive that describe the container: written at checkpoint, read at
// restore. Keys of config.dump are those of libpod's ContainerConfig, so that Podman's tools can
// read it; everything Still needs is below its key "still".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tree_tar.h"
#include "engine/container/container.h"
#include "engine/container/container_config.h"

namespace still::checkpoint {

// Names of members, all of Podman's format.
inline constexpr const char* kConfigMember = "config.dump";
inline constexpr const char* kSpecMember = "spec.dump";
inline constexpr const char* kImagesMember = "checkpoint";
inline constexpr const char* kRootfsMember = "rootfs-diff.tar";
inline constexpr const char* kDeletedMember = "deleted.files";
inline constexpr const char* kShmMember = "devshm-checkpoint.tar";
inline constexpr const char* kStatisticsMember = "stats-dump";
inline constexpr const char* kLogMember = "ctr.log";
inline constexpr const char* kInventoryMember = "checkpoint/inventory.img";
inline constexpr const char* kVolumesPrefix = "volumes/";
std::string volume_member(const std::string& volume);

// How the trees are unpacked: the difference over lower layers that have its directories, the
// others into empty directories.
inline constexpr archive::ExtractOptions kRootfsExtraction{};
inline constexpr archive::ExtractOptions kVolumeExtraction{.into_empty = true};

struct ArchivedContainer {
  std::string id;
  std::string name;
  engine::ContainerConfig config;
};

std::string write_config_dump(const engine::Container& container);

// What every engine's config.dump says. Throws Error(kCorrupt) for one that is none.
struct ConfigIdentity {
  std::string id;
  std::string name;
  bool is_ours = false;  // Still wrote it
};
ConfigIdentity parse_config_identity(std::string_view json);
// Throws Error(kCorrupt); Error(kUnsupported) for an archive that another engine wrote.
ArchivedContainer parse_config_dump(std::string_view json);

// The bundle's runtime spec with the annotation by which checkpointctl tells the engine.
std::string write_spec_dump(const engine::Container& container);
// Throws Error(kCorrupt) for what is no JSON object.
void check_spec_dump(std::string_view json);

// JSON array of paths. Paths of bytes that are no UTF-8 cannot be written as JSON strings: those
// bytes become the private-use characters U+F780 to U+F7FF (0xF700 + byte)
// and come back from them.
std::string write_deleted_files(const std::vector<std::string>& paths);
// Throws Error(kCorrupt) for anything but an array of strings.
std::vector<std::string> parse_deleted_files(std::string_view json);

}  // namespace still::checkpoint
