// Big files without a name that processes have open or mapped. CRIU writes them into its images,
// and would while the container stands still; here they are copied before, what changed is copied
// in the cut, and the images get them after the thaw (criu/preload/deleted_files.cc).
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <list>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cut/staging.h"
#include "subject/subject.h"
#include "tree/file_mirror.h"
#include "tree/proof.h"

namespace still::cut {

// Whether a link of /proc/PID (fd, map_files) leads to memory that processes can share (anonymous,
// memfd, System V), which the kernel shows as a file without a name. A deleted file of a tmpfs is
// none.
bool is_shared_memory(const std::string& path);

// Whether the file behind a link of /proc/PID (fd, map_files) is one of those.
class CopiedBefore {
 public:
  explicit CopiedBefore(const subject::Subject& subject);
  // status: of the file, which has no name any more.
  bool is_one(const std::string& path, const struct stat& status) const;

 private:
  std::filesystem::path root_;  // the root directory of the container, as it sees it
  bool layer_tells_changes_ = false;
};

class DeletedFiles {
 public:
  // stop: once it is requested, prepare() and cut() throw Error(kInterrupted) as soon as they can.
  DeletedFiles(const subject::Subject& subject, StagingPlace place, const std::stop_token& stop);

  // Looks for them, and brings all copies up to date. What comes later is left to CRIU.
  void prepare(const std::vector<pid_t>& processes);
  // All stands still, and has not been thawed when it ends: the copies are the files.
  void cut(const std::vector<pid_t>& processes);
  // The container runs on, and the images are complete but for these. Throws Error(kInternal) if
  // one is not found.
  void complete(const std::filesystem::path& images);

 private:
  struct Copy {
    dev_t device;
    ino_t inode;
    tree::FileMirror mirror;
  };

  void look_at(pid_t process);
  void add(const std::string& path);
  void write_list() const;
  const Copy* find(const std::string& line) const;

  const CopiedBefore copied_before_;
  const StagingPlace place_;
  tree::CopyMonitor monitor_;
  tree::ClockWatch clock_;
  std::list<Copy> copies_;
};

}  // namespace still::cut
