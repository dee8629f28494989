// stats-dump and stats-restore.
#include "fuzz.h"
#include "oci/criu.h"

void still::fuzz::run(std::string_view input) {
  const InputFile file(input);
  oci::read_dump_statistics(file.path());
  oci::read_restore_statistics(file.path());
}
