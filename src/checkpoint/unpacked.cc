#include "checkpoint/unpacked.h"

#include <fcntl.h>

#include "archive/reader.h"
#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "tree/overlay.h"

namespace still::checkpoint {
namespace {

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::string required_member(const std::filesystem::path& directory, const char* member) {
  auto content = read_file_if_exists(directory / member);
  if (!content) throw Error(ErrorKind::kCorrupt, std::string(member) + " is missing");
  return std::move(*content);
}

}  // namespace

UnpackedArchive::UnpackedArchive(const std::filesystem::path& archive,
                                 std::filesystem::path directory) try
    : directory_(std::move(directory)),
      manifest_(archive::unpack_archive(archive, open_directory(directory_.path())).manifest),
      container_(parse_config_dump(required_member(directory_.path(), kConfigMember))) {
  if (!path_exists(images() / "inventory.img")) {
    throw Error(ErrorKind::kCorrupt, "checkpoint/inventory.img is missing");
  }
} catch (const Error& error) {
  throw error.in("cannot restore from " + printable(archive.native()));
}

void UnpackedArchive::extract(const std::string& member, const std::filesystem::path& target) const
    try {
  const auto file = open_if_exists(directory_.path() / member, O_RDONLY | O_NOFOLLOW);
  if (!file) return;
  archive::extract_tree_tar(archive::file_source(*file), open_directory(target),
                            {.allow_devices = false});
} catch (const Error& error) {
  throw error.in(member);
}

void UnpackedArchive::fill_rootfs(const std::filesystem::path& merged) const {
  const auto deleted = read_file_if_exists(directory_.path() / kDeletedMember);
  if (deleted) tree::remove_paths(open_directory(merged), parse_deleted_files(*deleted));
  extract(kRootfsMember, merged);
}

void UnpackedArchive::fill_shm(const std::filesystem::path& shm) const { extract(kShmMember, shm); }

void UnpackedArchive::fill_volume(const std::string& name,
                                  const std::filesystem::path& data) const {
  extract(volume_member(name), data);
}

void UnpackedArchive::copy_log(const std::filesystem::path& log) const {
  const auto content = read_file_if_exists(directory_.path() / kLogMember);
  if (content) write_file_atomically(log, *content, 0600);
}

}  // namespace still::checkpoint
