// CRIU's images, each taken for every kind that is read.
#include "criu/image_privileges.h"
#include "criu/process_view.h"
#include "fuzz.h"

namespace {

using namespace still;

// As `archive inspect` reads them: the input for one kind beside sound ones, and for all kinds.
void look(std::string_view input) {
  criu::ProcessView all;
  for (const char* name : {"pstree.img", "files.img", "filelocks.img", "core-1.img", "ids-1.img",
                           "mm-1.img", "fdinfo-1.img", "pagemap-1.img", "pagemap-shmem-1.img"}) {
    criu::ProcessView one;
    for (criu::ProcessView* view : {&one, &all}) {
      try {
        view->add(name, input);
        view->pages("pages-1.img")(input);
        view->result();
      } catch (const Error& error) {
        fuzz::require(error.kind() == ErrorKind::kCorrupt, "bad images are corrupt");
      }
    }
  }
}

}  // namespace

void still::fuzz::run(std::string_view input) {
  look(input);
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
