// spec.dump of an archive whose container has the default settings.
#include "archive/members.h"
#include "fuzz.h"
#include "sources/still/spec_check.h"

void still::fuzz::run(std::string_view input) {
  archive::check_spec_dump(input);
  sources::check_spec(input, {});
}
