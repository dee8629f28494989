// An archive, unpacked into a private directory and verified.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "archive/manifest.h"
#include "archive/members.h"
#include "os/temp_dir.h"
#include "restore/archive_checks.h"
#include "restore/restore.h"
#include "subject/destination.h"

namespace still::restore {

class UnpackedArchive {
 public:
  // directory: made for it, and removed with it. Throws Error as archive::unpack_archive does, and
  // kUnsupported for a container that is not of dumps' engine, the archive's path as context. dumps
  // must outlive the object.
  UnpackedArchive(const std::filesystem::path& archive, std::filesystem::path directory,
                  const subject::DumpReader& dumps, const archive::ReadOptions& options);

  // Why the archive is not certified consistent; empty: it is.
  std::string inconsistent_because() const;
  const subject::ArchivedContainer& container() const { return container_; }
  const std::string& config_dump() const { return checks_.config_dump(); }
  // Where the container lived when it was dumped, as a path below the hierarchies' mounts; empty:
  // it had no cgroup of its own.
  std::string dumped_cgroup() const;
  // Of the processes in the CRIU images.
  const criu::ImagePrivileges& privileges() const { return checks_.privileges(); }
  // Of the trees that are unpacked with these options.
  subject::PrivilegedTrees trees(const RestoreOptions& options) const;
  std::filesystem::path images() const {
    return directory_.path() / name_of(archive::MemberKind::kImage);
  }

  // Each does nothing for a member that the archive lacks. Privileged entries are made with the
  // others: the archive is one that was granted them, or of the engine's own store.
  // Lays the difference over the merged root file system: what was removed goes, what was added and
  // changed comes.
  void fill_rootfs(const std::filesystem::path& merged) const;
  void fill_shm(const std::filesystem::path& shm) const;
  // The engine's files in /etc. etc empty: it has none.
  void fill_etc(const std::filesystem::path& etc) const;
  // Into an empty directory. name: of the volume when it was archived.
  void fill_volume(const std::string& name, const std::filesystem::path& data) const;
  void copy_log(const std::filesystem::path& log) const;

 private:
  void extract(const std::string& member, const std::filesystem::path& target,
               const archive::ExtractOptions& options) const;
  archive::ArchiveContents unpack(const std::filesystem::path& archive,
                                  const archive::ReadOptions& options);

  TempDir directory_;
  ArchiveChecks checks_;
  std::optional<archive::Manifest> manifest_;
  subject::ArchivedContainer container_;
};

}  // namespace still::restore
