// A cgroup for processes that must not share the fate of ours.
#pragma once

#include <sys/types.h>

#include <string>

namespace still::cgroup {

// What ends or freezes all that is in the cgroup of a process (cgroup.kill, the end of a systemd
// unit or session, the pause of a container in which we run, the kernel when memory is short) does
// not reach those that are taken in. They are moved in the v2 hierarchy, and in those of v1 by
// which processes are frozen or ended together (freezer, name=systemd); in the others they stay.
class Shelter {
 public:
  // Makes the cgroup `path` ("/still/guard-KEY"), which nobody else uses. Where we may not there is
  // none, which is logged.
  explicit Shelter(std::string path);
  Shelter(const Shelter&) = delete;
  Shelter& operator=(const Shelter&) = delete;
  // Removes it. What was taken in has ended.
  ~Shelter();

  // Moves the process with all its threads; it and its children stay where they are if that fails,
  // which is logged.
  void take_in(pid_t process) const noexcept;

 private:
  const std::string path_;
};

}  // namespace still::cgroup
