// Reads a checkpoint archive, of Still or of Podman. The archive is not trusted.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "archive/manifest.h"
#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::archive {

struct ArchiveContents {
  std::optional<Manifest> manifest;  // absent in Podman's archives
};

// Unpacks the outer archive into the directory target, which is empty and private: checkpoint/ and
// pre-checkpoint/ as files, rootfs-diff.tar, volumes/NAME.tar and the rest as files still packed.
// Refused with Error(kCorrupt) naming the member: names that are not of the format (absolute, "..",
// unknown top-level names), anything but regular files and directories (and the link
// checkpoint/parent), members that occur twice, a damaged or truncated stream, and with a manifest:
// members that are missing, not listed, or whose size or SHA-256 differ. Nothing of the archive
// may be used before this has returned.
ArchiveContents unpack_archive(const std::filesystem::path& archive, const Fd& target);

// The manifest alone, without reading further than it. nullopt for an archive without one.
std::optional<Manifest> read_manifest(const std::filesystem::path& archive);

// A source over an open file, for extract_tree_tar.
Source file_source(const Fd& file);

}  // namespace still::archive
