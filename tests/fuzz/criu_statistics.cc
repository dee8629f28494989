// stats-dump and stats-restore.
#include "criu/criu.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  const InputFile file(input);
  criu::read_dump_statistics(file.path());
  criu::read_restore_statistics(file.path());
}
