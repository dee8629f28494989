// deleted.files: every path comes back from what is written for it.
#include "checkpoint/archive_members.h"
#include "fuzz.h"
#include "tree/overlay.h"

void still::fuzz::run(std::string_view input) {
  const auto paths = checkpoint::parse_deleted_files(input);
  require(checkpoint::parse_deleted_files(checkpoint::write_deleted_files(paths)) == paths,
          "it is read as it was written");
  tree::check_removable(paths);
}
