// Reads a checkpoint archive, of Still or of Podman. The archive is not trusted.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "archive/manifest.h"
#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::archive {

struct ArchiveContents {
  std::optional<Manifest> manifest;  // absent in Podman's archives
  uint64_t members = 0;              // the manifest included
  uint64_t size_bytes = 0;           // of their content
};

// What becomes of the members, in their order. Names and kinds have been checked. Throws to refuse
// one.
class MemberSink {
 public:
  virtual ~MemberSink() = default;
  // The text of the manifest, which comes first and has been parsed.
  virtual void manifest(std::string_view json);
  // Names are without a closing slash.
  virtual void directory(const std::string& name) = 0;
  virtual void link(const std::string& name, const std::string& target) = 0;
  // content is valid during the call; what the sink leaves of it is read all the same.
  virtual void file(const std::string& name, uint64_t size_bytes, const Source& content) = 0;
};

struct ReadOptions {
  std::filesystem::path identity;  // file with the age identity that opens an encrypted archive
  // Called now and then with the bytes of content read so far, and all there are, 0 if unknown.
  std::function<void(uint64_t, uint64_t)> progress;
  // For looking at a damaged archive: a member that is not as the manifest says is told to this
  // with the reason, once or twice, and not refused.
  std::function<void(const std::string& member, const std::string& reason)> disagrees;
};

// Reads the outer archive to its end, decrypting it if it is encrypted (encryption.h). Refused with
// Error(kCorrupt) naming the member: names that are not of the format (absolute, "..", unknown
// top-level names, long or deep ones), anything but regular files and directories (and the link
// checkpoint/parent), members that occur twice, more than 200,000 members, JSON members of more
// than 64 MiB, a damaged or truncated stream or one with something behind its end, and with a
// manifest: members that are missing, not listed, or whose size or SHA-256 differ. The sink has got
// a member before its digest is known: nothing of the archive may be used before this has returned.
ArchiveContents read_archive(const std::filesystem::path& archive, MemberSink& sink,
                             const ReadOptions& options = {});

// The same, into the directory target, which is empty and private: checkpoint/ and pre-checkpoint/
// as files, rootfs-diff.tar, volumes/NAME.tar and the rest as files still packed. checks, if not
// null, sees the members on their way. A large member that the file system has no room for is
// refused with Error(kSystem) before it is written.
ArchiveContents unpack_archive(const std::filesystem::path& archive, const Fd& target,
                               MemberSink* checks = nullptr, const ReadOptions& options = {});

// The manifest alone, without reading further than it. nullopt for an archive without one.
std::optional<Manifest> read_manifest(const std::filesystem::path& archive);

// A source over an open file, for extract_tree_tar.
Source file_source(const Fd& file);
// Reads a source to its end, in pieces that fit a processor's cache.
void for_each_block(const Source& source, const std::function<void(std::string_view)>& take);

}  // namespace still::archive
