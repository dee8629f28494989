#include "tree/survey.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "base/error.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/parallel.h"
#include "os/privileged_entries.h"
#include "os/share.h"
#include "tree/entry.h"
#include "tree/mirror.h"
#include "tree/scan.h"

namespace still::tree {
namespace {

constexpr uint64_t kBlock = 512;  // of st_blocks

std::optional<Fd> open_if_still_there(const Fd& root, const ScannedDirectory& directory,
                                      const ScannedEntry& entry) try {
  const auto parent = open_directory_beneath(root, directory.path);
  return parent ? open_content(*parent, entry.name) : std::nullopt;
} catch (const Error&) {
  return std::nullopt;  // it changed its kind
}

// Of the first file with content that is still there.
bool clone_works(const Fd& source, const std::vector<ScannedDirectory>& scan, const Fd& staging) {
  for (const ScannedDirectory& directory : scan) {
    for (const ScannedEntry& entry : directory.entries) {
      if (!S_ISREG(entry.status.st_mode) || entry.status.st_size == 0) continue;
      const auto file = open_if_still_there(source, directory, entry);
      if (!file) continue;
      const Fd trial = open_at(staging, ".", O_TMPFILE | O_RDWR, 0600);
      return clone_content(*file, trial) == CloneResult::kDone;
    }
  }
  return false;
}

Method choose_method(const Fd& source, const std::vector<ScannedDirectory>& scan,
                     const Fd& staging) {
  if (is_subvolume(source)) return Method::kSnapshot;
  if (!can_tell_changes(source)) return Method::kCopy;
  return can_tell_changes(staging) && clone_works(source, scan, staging) ? Method::kClone
                                                                         : Method::kPreCopy;
}

}  // namespace

Survey survey_tree(const Fd& source, const Fd& staging) {
  const auto scan = scan_tree(source, processor_count(), {}, entries_that_fit());
  Survey survey{.files = 0,
                .bytes = 0,
                .method = choose_method(source, scan, staging),
                .other_file_system = find_other_file_system(scan).value_or("")};
  std::set<Inode> linked;
  for (const ScannedDirectory& directory : scan) {
    survey.files += directory.entries.size();
    for (const ScannedEntry& entry : directory.entries) {
      if (is_privileged_node(entry.status.st_mode, entry.status.st_rdev)) {
        survey.devices.add(path_in(directory.path, entry.name));
      }
      if (!S_ISREG(entry.status.st_mode)) continue;
      if (entry.status.st_nlink > 1 && !linked.insert(inode_of(entry.status)).second) continue;
      survey.bytes += std::min(static_cast<uint64_t>(entry.status.st_size),
                               static_cast<uint64_t>(entry.status.st_blocks) * kBlock);
    }
  }
  return survey;
}

}  // namespace still::tree
