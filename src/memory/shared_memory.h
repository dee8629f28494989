// The memory that a container's processes share (anonymous, System V, memfd_create(2)), copied
// while they run, and completed when they stand still. CRIU is told to leave it out.
//
// Anonymous memory is followed: it is written to through mappings only, and the write protection of
// every process that has it notes that. Whatever else may have changed it unseen makes the last
// copy look at all of it: processes that came, ended or gave a mapping back, pages that were cut
// out, and what is read from a device directly (memory/direct_access.h). Memory that has, or may
// have, other ways to it (a descriptor of memfd_create(2), an identifier of System V) is compared
// as a whole with what was copied, which takes some 0.2 s for a GiB.
//
// Not seen is what a process writes through a second mapping that it makes of anonymous memory with
// mremap(2) from a size of 0, and takes back between two rounds.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "memory/births.h"
#include "memory/cut_watch.h"
#include "memory/page_store.h"
#include "memory/protection.h"
#include "memory/shared_file.h"

namespace still::memory {

class SharedMemory {
 public:
  // first: of the container. file: for the pages. Throws Error(kSystem).
  SharedMemory(pid_t first, PageFile& file) : births_(first), file_(file) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  struct Mapper {
    pid_t pid = 0;
    const Protection& protection;
  };
  // Looks for what only descriptors lead to; round() for what is mapped.
  void find_descriptors(const std::vector<pid_t>& processes);
  // Copies what was written to since the last call, all of it the first time. The processes are
  // covered. Returns how many bytes were new. Throws Error(kSystem).
  uint64_t round(const std::vector<Mapper>& processes);
  // From now on anonymous memory, too, is compared as a whole: a device writes to it.
  void expect_unseen_writes() { is_written_unseen_ = true; }
  // Whether all of what is followed would have to be looked at in the cut, and one more round
  // spares that.
  bool is_behind();
  // Just before the freeze. Throws Error(kSystem).
  void get_ready();

  // All processes stand still, and CRIU has touched none: in that moment.
  void begin_last();
  // By any thread, after that: what is left to copy. all: of the cgroup. dumped: those whose
  // mappings the images will have. Throws Error(kSystem), Error(kConflict).
  void copy_last(const std::vector<pid_t>& all, const std::vector<pid_t>& dumped);

  // How much that was: what may have changed since the last round. After copy_last().
  uint64_t looked_at_bytes() const { return looked_at_bytes_; }

  // What CRIU is to leave out: a line "DEVICE INODE\n" for each, as its library wants it.
  std::string list() const;
  // Puts it into the images, after copy_last(). What CRIU has written all the same stays as it is.
  // Returns the bytes. Throws Error(kCorrupt), Error(kSystem).
  uint64_t complete(const std::filesystem::path& images) const;

 private:
  struct Object {
    Object(Fd its, std::string its_name, PageFile& pages_file)
        : file(std::move(its)), name(std::move(its_name)), store(pages_file) {}
    std::vector<PageRun> pages_in_images() const;
    // Returns the bytes.
    uint64_t write_into(const std::filesystem::path& images, criu::PageMap map) const;

    const SharedFile file;
    const std::string name;
    PageStore store;
    std::optional<CutWatch> watch{};  // it is followed; else compared as a whole
    bool is_copied = false;           // the last copy was complete
    bool is_ambiguous = false;        // another one has its number; CRIU writes both
    uint64_t mapped_bytes = 0;        // as far as the images have mappings of it
    std::vector<PageRun> pages;       // that there are at last
  };
  // Addresses that show an object at one distance: process, inode, address - offset.
  using Place = std::tuple<pid_t, uint64_t, uint64_t>;
  using Places = std::map<Place, std::vector<PageRun>>;
  using Offsets = std::map<uint64_t, std::vector<PageRun>>;  // by inode

  Object* add(const std::string& link, const std::string& name);
  Object* find(uint64_t inode);
  void find_mapped(pid_t process, const std::vector<SharedMapping>& mappings);
  void note_births();
  void note_lost_places(const Places& now);
  // Has all been seen that was written to an object since it was copied?
  bool is_seen(uint64_t inode, const Object& object) const;
  std::vector<PageRun> to_look_at(const Object& object, bool is_seen,
                                  std::vector<PageRun> unprotected) const;

  Births births_;
  PageFile& file_;
  std::map<uint64_t, Object> objects_;  // by inode, which is all that the images have
  Places places_;                       // that are protected since the last round
  std::set<uint64_t> lost_;             // inodes: a place is there no longer
  bool is_written_unseen_ = false;
  bool born_ = false;  // a process came since the last round, or may have
  uint64_t last_bytes_ = 0;
  uint64_t looked_at_bytes_ = 0;
  std::optional<Reserve> reserve_;
};

}  // namespace still::memory
