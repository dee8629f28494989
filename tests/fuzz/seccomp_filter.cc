// A compiled seccomp filter: it ends, whatever it is.
#include "oci/seccomp_filter.h"

#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  oci::run_seccomp_filter(input, {.nr = 57, .arch = 0xc000003e});
}
