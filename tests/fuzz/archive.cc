// A whole archive, as verify and restore read it.
#include "archive/reader.h"
#include "fuzz.h"
#include "restore/archive_checks.h"
#include "sources/still/dump_reader.h"

void still::fuzz::run(std::string_view input) {
  const InputFile file(input);
  const sources::StillDumpReader dumps;
  restore::ArchiveChecks checks(dumps);
  archive::read_archive(file.path(), checks);
  checks.finish();
  checks.demands();
}
