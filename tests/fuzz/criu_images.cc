// CRIU's images, each taken for every kind that is read.
#include "criu/image_privileges.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  for (const char* name :
       {"inventory.img", "pstree.img", "files.img", "seccomp.img", "core-1.img", "ids-1.img",
        "mountpoints-1.img", "netns-1.img", "cgroup.img", "ghost-file-1.img"}) {
    criu::ImagePrivileges privileges;
    try {
      privileges.add(name, input);
      privileges.beyond({});
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::kCorrupt, "bad images are corrupt");
    }
  }
}
