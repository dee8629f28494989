// index.json of an OCI layout that has one blob.
#include <fcntl.h>

#include "engine/image/oci_layout.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  const TempDir layout = make_directory_in_memory();
  make_directory(layout.path() / "blobs", 0700);
  make_directory(layout.path() / "blobs/sha256", 0700);
  // Of "{}".
  write_file(layout.path() /
                 "blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
             "{}");
  write_file(layout.path() / "index.json", input);
  engine::read_oci_layout(open_file(layout.path(), O_RDONLY | O_DIRECTORY));
}
