// spec.dump of an archive whose container has the default settings.
#include "checkpoint/archive_members.h"
#include "fuzz.h"
#include "restore/spec_check.h"

void still::fuzz::run(std::string_view input) {
  checkpoint::check_spec_dump(input);
  restore::check_spec(input, {});
}
