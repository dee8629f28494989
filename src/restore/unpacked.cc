#include "restore/unpacked.h"

#include <fcntl.h>

#include "archive/deleted_files.h"
#include "archive/reader.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "os/files.h"
#include "tree/overlay.h"

namespace still::restore {
namespace {

using archive::MemberKind;

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

UnpackedArchive::UnpackedArchive(const std::filesystem::path& archive,
                                 std::filesystem::path directory, const subject::DumpReader& dumps,
                                 const archive::ReadOptions& options) try
    : directory_(std::move(directory)),
      checks_(dumps),
      manifest_(unpack(archive, options).manifest),
      container_(dumps.read(checks_.config_dump())) {
} catch (const Error& error) {
  throw error.in("cannot restore from " + printable(archive.native()));
}

archive::ArchiveContents UnpackedArchive::unpack(const std::filesystem::path& archive,
                                                 const archive::ReadOptions& options) {
  auto contents =
      archive::unpack_archive(archive, open_directory(directory_.path()), &checks_, options);
  checks_.finish();
  return contents;
}

subject::PrivilegedTrees UnpackedArchive::trees(const RestoreOptions& options) const {
  subject::PrivilegedTrees trees = checks_.trees();
  std::erase_if(trees, [&](const auto& tree) {
    const MemberKind kind = archive::kind_of(tree.first);
    return (options.ignore_rootfs && kind == MemberKind::kRootfs) ||
           (options.ignore_volumes && kind == MemberKind::kVolume);
  });
  return trees;
}

void UnpackedArchive::extract(const std::string& member, const std::filesystem::path& target,
                              const archive::ExtractOptions& options) const try {
  const auto file = open_if_exists(directory_.path() / member, O_RDONLY | O_NOFOLLOW);
  if (!file) return;
  const SomePaths without =
      archive::extract_tree_tar(archive::file_source(*file), open_directory(target), options);
  if (without.empty()) return;
  warn(
      formatted("{}: the file system here has no immutable and append-only files, and so restored "
                "are without that: {}",
                member, describe(without)));
} catch (const Error& error) {
  throw error.in(member);
}

std::string UnpackedArchive::inconsistent_because() const {
  if (!manifest_) {
    return "the archive has no manifest, so nothing says whether memory and files are of one "
           "instant";
  }
  if (manifest_->consistent) return "";
  const std::string& reason = manifest_->inconsistent_because;
  return reason.empty() ? "its manifest does not say why" : reason;
}

std::string UnpackedArchive::dumped_cgroup() const {
  if (manifest_ && manifest_->cgroup) return *manifest_->cgroup;
  // Archives of the first version do not say so; theirs follows from the configuration.
  return container_.cgroup;
}

void UnpackedArchive::fill_rootfs(const std::filesystem::path& merged) const {
  for (const MemberKind kind : {MemberKind::kDeletedFiles, MemberKind::kReplacedFiles}) {
    const auto paths = read_file_if_exists(directory_.path() / name_of(kind));
    if (paths) tree::remove_paths(open_directory(merged), archive::parse_deleted_files(*paths));
  }
  extract(name_of(MemberKind::kRootfs), merged, archive::kRootfsExtraction);
}

void UnpackedArchive::fill_shm(const std::filesystem::path& shm) const {
  extract(name_of(MemberKind::kShm), shm, archive::kVolumeExtraction);
}

void UnpackedArchive::fill_etc(const std::filesystem::path& etc) const {
  if (!etc.empty()) extract(name_of(MemberKind::kEtc), etc, archive::kEtcExtraction);
}

void UnpackedArchive::fill_volume(const std::string& name,
                                  const std::filesystem::path& data) const {
  extract(archive::volume_member(name), data, archive::kVolumeExtraction);
}

void UnpackedArchive::copy_log(const std::filesystem::path& log) const {
  const auto content = read_file_if_exists(directory_.path() / name_of(MemberKind::kLog));
  if (content) write_file_atomically(log, *content, 0600);
}

}  // namespace still::restore
