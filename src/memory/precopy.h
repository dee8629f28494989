// The memory of a container's processes, copied while they run: what they write to meanwhile is
// copied again, and what they have written to at last when they stand still.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "memory/landing.h"
#include "memory/page_store.h"
#include "memory/protection.h"
#include "memory/shared_memory.h"
#include "memory/snapshot.h"

namespace still::memory {

class Precopy {
 public:
  // directory: for the file with the pages; it exists. first: of the container, if what its
  // processes share is to be copied as well. Throws Error(kSystem).
  explicit Precopy(const std::filesystem::path& directory, std::optional<pid_t> first = {});
  Precopy(const Precopy&) = delete;
  Precopy& operator=(const Precopy&) = delete;
  ~Precopy();

  // Has the kernel note what the processes write to, and copies all they have. A process that
  // cannot be protected is left out. poll: called between pieces; what it throws ends the work.
  void start(const std::vector<pid_t>& processes, const std::function<void()>& poll);
  // Copies what was written to since, as long as that becomes less. Just before the freeze.
  void catch_up(const std::function<void()>& poll);

  // They stand still, CRIU has touched none: begins to copy what was written to since, as far as
  // that takes no longer than to fork the process, and nothing can have written to it unseen
  // (memory/direct_access.h). beside: others of the cgroup, that the images
  // will not have. Returns at once.
  void begin_last(const std::vector<pid_t>& processes, const std::vector<pid_t>& beside = {});
  // CRIU is done with them and they still stand still: waits for that, and copies what CRIU has
  // touched. Returns the processes whose memory is not here (all of it or a part): those are to be
  // forked. Throws what went wrong since begin_last().
  std::vector<pid_t> end_last();

  // Null: it is left to CRIU.
  const SharedMemory* shared() const { return shared_ ? &*shared_ : nullptr; }

  // Writes into images that have no list of pages (Skeleton::kNoPages) which there are, and that
  // their content is missing. After end_last(). Throws Error(kCorrupt), Error(kSystem).
  void list_pages(const std::filesystem::path& images) const;

  // The processes run on: nothing is noted any more.
  void release();

  // What was copied, completed by copies of the processes that end_last() has returned. The object
  // must outlive the result.
  Snapshots snapshots(Snapshots copies) const;

 private:
  struct Process {
    Process(pid_t number, PageFile& file) : pid(number), store(file) {}
    const pid_t pid;
    pid_t image_pid = 0;
    std::optional<Protection> protection;
    PageStore store;
    Changes last;                // since the last round before the freeze
    bool is_incomplete = false;  // to be forked
    bool is_uncertain = false;  // memory may have been written to unseen: all of it is to be forked
    // As they stood still: all pages of its own, if it is to be forked; otherwise those of private
    // mappings of files, and the other private mappings.
    std::vector<PageRun> pages;
    std::vector<PageRun> anonymous;
  };
  // One that came later, or could not be protected.
  struct Unknown {
    pid_t pid = 0;
    pid_t image_pid = 0;
    std::vector<PageRun> pages;
  };
  Process* find(pid_t process) const;
  // Returns how many bytes were written to.
  uint64_t round(const std::function<void()>& poll);
  void copy_last(Process& process);
  // At every moment in which protection begins anew: before and after.
  void look_for_direct_access(Process& process);
  void end_last(Process& process);

  PageFile file_;
  Landings landings_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Unknown> unknown_;
  std::optional<SharedMemory> shared_;
  uint64_t last_round_bytes_ = 0;
  std::optional<Reserve> reserve_;
  std::future<void> last_;
};

}  // namespace still::memory
