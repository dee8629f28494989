#include "checkpoint/archive_checks.h"

#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/text.h"
#include "tree/overlay.h"

namespace still::checkpoint {
namespace {

constexpr size_t kReadSize = size_t{64} << 10;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

// The reader has limited its size.
std::string read_all(const archive::Source& content) {
  std::string text;
  std::string buffer(kReadSize, '\0');
  while (const size_t got = content(buffer.data(), buffer.size())) text.append(buffer, 0, got);
  return text;
}

void require(bool is_there, const std::string& member) {
  if (!is_there) refuse(member + " is missing");
}

}  // namespace

void ArchiveChecks::directory(const std::string& /*name*/) {}

void ArchiveChecks::link(const std::string& /*name*/, const std::string& /*target*/) {}

void ArchiveChecks::file(const std::string& name, uint64_t size_bytes,
                         const archive::Source& content) {
  if (name == kConfigMember) {
    config_dump_ = read_all(content);
    parse_config_identity(*config_dump_);
  } else if (name == kSpecMember) {
    spec_dump_ = read_all(content);
    check_spec_dump(*spec_dump_);
  } else if (name == kDeletedMember) {
    tree::check_removable(parse_deleted_files(read_all(content)));
  } else if (name == kRootfsMember) {
    archive::check_tree_tar(content, kRootfsExtraction);
  } else if (name == kShmMember || name.starts_with(kVolumesPrefix)) {
    archive::check_tree_tar(content, kVolumeExtraction);
  } else if (name == kInventoryMember) {
    if (size_bytes == 0) refuse("it is empty");
    has_inventory_ = true;
  }
}

void ArchiveChecks::finish() const {
  require(config_dump_.has_value(), kConfigMember);
  require(spec_dump_.has_value(), kSpecMember);
  require(has_inventory_, kInventoryMember);
}

archive::ReadOptions read_options(const std::string& identity, Step step, Observer& observer) {
  return {.identity = identity, .progress = [step, &observer](uint64_t done, uint64_t total) {
            observer.progress(step, done, total);
          }};
}

}  // namespace still::checkpoint
