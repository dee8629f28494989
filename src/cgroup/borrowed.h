// A cgroup lent to a container that has none of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace still::cgroup {

// crun lets CRIU freeze the cgroup of the container, and where there is none, everything below
// /sys/fs/cgroup: the machine with CRIU in it, for ever. So such a container gets a cgroup for the
// time of its checkpoint, and crun is shown that one as /sys/fs/cgroup. v2 only: crun needs it.
class BorrowedCgroup {
 public:
  using Lister = std::function<std::vector<pid_t>()>;

  // Makes the cgroup `path` ("/still/ID") and moves the processes that list_processes names into
  // it, all of one cgroup so far and asked for again until none is left outside. Throws
  // Error(kUnsupported) where there is no v2 hierarchy that we may change, Error(kConflict) where
  // somebody lives in it already.
  BorrowedCgroup(const std::string& path, pid_t init, const Lister& list_processes);
  BorrowedCgroup(const BorrowedCgroup&) = delete;
  BorrowedCgroup& operator=(const BorrowedCgroup&) = delete;
  // Gives back; a failure is logged as a warning.
  ~BorrowedCgroup();

  const std::filesystem::path& directory() const { return directory_; }
  // Moves what lives in it to where init was before and removes it. Throws Error(kSystem).
  void give_back();

 private:
  void move_in(const Lister& list_processes);

  std::filesystem::path home_;       // the directory of the cgroup that init was in
  std::filesystem::path directory_;  // empty: given back
};

// Moves what lives in a cgroup, by its directory, to another one and removes it; one that is gone
// is no error. Throws Error(kSystem).
void dissolve_cgroup(const std::filesystem::path& directory, const std::filesystem::path& home);

}  // namespace still::cgroup
