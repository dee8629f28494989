// /proc/PID/cgroup, a line of dashes, /proc/self/mountinfo.
#include "cgroup/location.h"
#include "fuzz.h"

void still::fuzz::run(std::string_view input) {
  constexpr std::string_view kLine = "---\n";
  const size_t line = std::min(input.find(kLine), input.size());
  const cgroup::ProcessInfo process{
      .cgroup_file = std::string(input.substr(0, line)),
      .mountinfo_file = std::string(input.substr(std::min(line + kLine.size(), input.size())))};
  cgroup::mounted_hierarchies(process);
  cgroup::find_freezer_cgroup(process);
}
