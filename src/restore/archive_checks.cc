#include "restore/archive_checks.h"

#include <algorithm>
#include <array>
#include <limits>

#include "archive/decompressor.h"
#include "archive/deleted_files.h"
#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/text.h"
#include "criu/image_files.h"
#include "tree/overlay.h"

namespace still::restore {
namespace {

using archive::MemberKind;

constexpr size_t kReadSize = size_t{64} << 10;

constexpr std::string_view kFilesFile = "files.img";
// Of those that are read as a whole: a hundred thousand open files take ten.
constexpr uint64_t kMaxImageSize = uint64_t{256} << 20;

// What CRIU has tar unpack into a tmpfs mount, without extended attributes: the devices of the
// runtime's /dev may be in it.
// Major number << 8 | minor number: null, zero, full, random, urandom, tty, console, ptmx.
constexpr std::array<dev_t, 8> kContainerDevices = {0x103, 0x105, 0x107, 0x108,
                                                    0x109, 0x500, 0x501, 0x502};
constexpr archive::ExtractOptions kTmpfsExtraction{
    .allow_devices = true, .devices = kContainerDevices, .names_links = true, .into_empty = true};

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

// At most so many bytes from the start.
std::string read_head(const archive::Source& content, size_t limit) {
  std::string text;
  std::string buffer(kReadSize, '\0');
  while (text.size() < limit) {
    const size_t got = content(buffer.data(), std::min(buffer.size(), limit - text.size()));
    if (got == 0) break;
    text.append(buffer, 0, got);
  }
  return text;
}

// The reader has limited its size.
std::string read_all(const archive::Source& content) {
  return read_head(content, std::numeric_limits<size_t>::max());
}

void require(bool is_there, const std::string& member) {
  if (!is_there) refuse(member + " is missing");
}

}  // namespace

void ArchiveChecks::directory(const std::string& /*name*/) {}

void ArchiveChecks::link(const std::string& /*name*/, const std::string& /*target*/) {}

void ArchiveChecks::file(const std::string& name, uint64_t size_bytes,
                         const archive::Source& content) {
  switch (archive::kind_of(name)) {
    case MemberKind::kConfig:
      config_dump_ = read_all(content);
      identity_ = archive::parse_config_identity(*config_dump_);
      is_known_ = dumps_.knows(*config_dump_);
      if (is_known_) dumps_.read(*config_dump_);
      break;
    case MemberKind::kSpec:
      spec_dump_ = read_all(content);
      archive::check_spec_dump(*spec_dump_);
      break;
    case MemberKind::kDeletedFiles:
    case MemberKind::kReplacedFiles: {
      const auto paths = archive::parse_deleted_files(read_all(content));
      tree::check_removable(paths);
      removed_paths_ += paths.size();
      break;
    }
    case MemberKind::kRootfs:
      tree(name, content, archive::kRootfsExtraction);
      break;
    case MemberKind::kShm:
    case MemberKind::kVolume:
      tree(name, content, archive::kVolumeExtraction);
      break;
    case MemberKind::kEtc:
      tree(name, content, archive::kEtcExtraction);
      break;
    case MemberKind::kImage:
      image(name.substr(name.find('/') + 1), size_bytes, content);
      break;
    case MemberKind::kManifest:    // checked by the reader
    case MemberKind::kStatistics:  // not needed for a restore
    case MemberKind::kLog:
    case MemberKind::kNetwork:
    case MemberKind::kArtifacts:
    case MemberKind::kOther:
      break;
  }
}

void ArchiveChecks::tree(const std::string& member, const archive::Source& content,
                         const archive::ExtractOptions& options) {
  archive::TreeSummary summary = archive::check_tree_tar(content, options);
  const uint64_t root = summary.has_root ? 1 : 0;
  totals_[member] = {summary.entries - root, summary.content_bytes};
  if (!summary.privileged.empty()) trees_.emplace(member, std::move(summary.privileged));
}

void ArchiveChecks::image(const std::string& file, uint64_t size_bytes,
                          const archive::Source& content) {
  switch (criu::image_file_kind(file).use) {
    case criu::ImageUse::kTmpfs: {
      archive::TreeSummary tree =
          archive::check_tree_tar(archive::decompressing_source(content), kTmpfsExtraction);
      if (!tree.privileged.empty()) {
        trees_.emplace(name_of(MemberKind::kImage) + "/" + file, std::move(tree.privileged));
      }
      return privileges_.add_tmpfs(file, tree.memory_bytes, std::move(tree.links));
    }
    case criu::ImageUse::kHead:
      return privileges_.add(file, read_head(content, criu::ImagePrivileges::kHeadSize));
    case criu::ImageUse::kChecked:
      if (size_bytes > kMaxImageSize) refuse("it is too large");
      privileges_.add(file, read_all(content));
      break;
    case criu::ImageUse::kInside:
    case criu::ImageUse::kNetwork:
    case criu::ImageUse::kRefused:  // has thrown
      break;
  }
  if (file == archive::kInventoryFile) has_inventory_ = true;
  if (file == kFilesFile) has_files_ = true;
}

void ArchiveChecks::finish() const {
  require(identity_.has_value(), name_of(MemberKind::kConfig));
  require(spec_dump_.has_value(), name_of(MemberKind::kSpec));
  require(has_inventory_, name_of(MemberKind::kImage) + "/" + std::string(archive::kInventoryFile));
  // Without it CRIU takes the open files from images of its early versions, which nobody has
  // checked.
  require(has_files_, name_of(MemberKind::kImage) + "/" + std::string(kFilesFile));
  if (!is_known_) return;
  try {
    dumps_.check_spec(*config_dump_, *spec_dump_);
  } catch (const Error& error) {
    throw error.in(std::string("archive member \"") + name_of(MemberKind::kSpec) + "\"");
  }
}

std::vector<std::string> ArchiveChecks::demands() const {
  if (!is_known_) return {};
  return dumps_.demands(*config_dump_, privileges_, trees_);
}

archive::ReadOptions read_options(const std::string& identity, cut::Step step,
                                  cut::Observer& observer) {
  return {.identity = identity, .progress = [step, &observer](uint64_t done, uint64_t total) {
            observer.progress(step, done, total);
          }};
}

}  // namespace still::restore
