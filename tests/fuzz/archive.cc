// A whole archive, as verify and restore read it.
#include "archive/reader.h"
#include "fuzz.h"
#include "restore/archive_checks.h"
#include "restore/demands.h"

void still::fuzz::run(std::string_view input) {
  const InputFile file(input);
  restore::ArchiveChecks checks;
  archive::read_archive(file.path(), checks);
  checks.finish();
  if (checks.identity().is_ours) {
    restore::demands_of(checks.privileges(), checks.container().config);
  }
}
