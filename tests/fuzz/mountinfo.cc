// /proc/PID/mountinfo.
#include "fuzz.h"
#include "os/mount.h"

void still::fuzz::run(std::string_view input) { parse_mountinfo(input); }
