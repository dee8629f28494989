// spec.dump of an archive whose container has the default settings.
#include "checkpoint/archive_members.h"
#include "checkpoint/spec_check.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  checkpoint::check_spec_dump(input);
  checkpoint::check_spec(input, {});
}
