#include "cut/skeleton.h"

#include <algorithm>

#include "criu/memory_images.h"
#include "memory/fork_copy.h"
#include "memory/soft_dirty.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::cut {

void SkeletonImages::prepare(const std::vector<pid_t>& processes) {
  if (skeleton_ != memory::Skeleton::kParentImage) return;
  make_directory(place_.parent(), 0700);
  known_ = memory::inner_pids(processes);
  criu::write_complete_parent(place_.parent(), known_);
  kernel_tracks_changes_ = memory::kernel_tracks_changes();
}

void SkeletonImages::before_dump(const std::vector<pid_t>& dumped) {
  if (skeleton_ != memory::Skeleton::kParentImage) return;
  for (const pid_t pid : memory::inner_pids(dumped)) {
    if (!std::ranges::contains(known_, pid)) criu::write_complete_page_map(place_.parent(), pid);
  }
  if (!kernel_tracks_changes_) return;
  parallel_for(dumped.size(), 1, processor_count(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) memory::forget_changes(dumped[i]);
  });
}

void SkeletonImages::remove() { remove_tree(place_.parent()); }

}  // namespace still::cut
