// The members of a checkpoint archive, all of Podman's format but the manifest: the one table of
// them.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "archive/tree_tar.h"
#include "base/error.h"

namespace still::archive {

enum class MemberKind {
  kManifest,       // archive/manifest.h
  kConfig,         // the container's configuration, in libpod's keys
  kSpec,           // the OCI runtime spec
  kImage,          // CRIU's images: a directory and all below it
  kRootfs,         // a tree
  kDeletedFiles,   // archive/deleted_files.h
  kReplacedFiles,  // the same; where other readers take no notice of it
  kShm,            // a tree
  kVolume,         // a tree for each
  kStatistics,     // CRIU's
  kLog,            // the container's
  kNetwork,        // its addresses, in the engine's words
  kEtc,            // a tree; where other readers take no notice of it
  kArtifacts,      // a directory that Podman expects
  kOther,          // unknown here
};

// Of a kind of which there is one, or the directory of those of which there are several
// ("checkpoint", "volumes").
std::string name_of(MemberKind kind);
std::string volume_member(const std::string& volume);
MemberKind kind_of(std::string_view member);

// CRIU's image without which the others are not complete.
inline constexpr std::string_view kInventoryFile = "inventory.img";

// How the trees are unpacked: the difference over lower layers that have its directories, the
// files of /etc over those of the engine, the others into empty directories. Privileged entries are
// let through here, and told of: the engine decides about them before anything is unpacked.
inline constexpr ExtractOptions kRootfsExtraction{
    .allow_devices = true, .allow_trusted_xattrs = true, .into_overlay = true};
inline constexpr ExtractOptions kVolumeExtraction{
    .allow_devices = true, .allow_trusted_xattrs = true, .into_empty = true};
// Its files become sources of mounts, which links would lead anywhere.
inline constexpr ExtractOptions kEtcExtraction{.only_plain_files = true};

// Error(kCorrupt): the member is not what it should be.
Error damaged_member(MemberKind kind, const std::exception& error);

// What every engine's config.dump says. Throws Error(kCorrupt) for one that is none.
struct ConfigIdentity {
  std::string id;
  std::string name;
};
ConfigIdentity parse_config_identity(std::string_view json);

// Throws Error(kCorrupt) for a spec.dump that is no JSON object.
void check_spec_dump(std::string_view json);

}  // namespace still::archive
