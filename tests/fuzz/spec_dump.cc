// spec.dump of an archive whose container has the default settings.
#include "archive/members.h"
#include "fuzz.h"
#include "restore/spec_check.h"

void still::fuzz::run(std::string_view input) {
  archive::check_spec_dump(input);
  restore::check_spec(input, {});
}
