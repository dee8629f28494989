// A whole archive, as verify and restore read it.
#include "archive/reader.h"
#include "checkpoint/archive_checks.h"
#include "checkpoint/demands.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  const InputFile file(input);
  checkpoint::ArchiveChecks checks;
  archive::read_archive(file.path(), checks);
  checks.finish();
  if (checks.identity().is_ours) {
    checkpoint::demands_of(checks.privileges(), checks.container().config);
  }
}
