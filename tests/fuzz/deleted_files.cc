// deleted.files: every path comes back from what is written for it.
#include "archive/deleted_files.h"

#include "archive/members.h"
#include "fuzz.h"
#include "tree/overlay.h"

void still::fuzz::run(std::string_view input) {
  const auto paths = archive::parse_deleted_files(input);
  require(archive::parse_deleted_files(archive::write_deleted_files(paths)) == paths,
          "it is read as it was written");
  tree::check_removable(paths);
}
