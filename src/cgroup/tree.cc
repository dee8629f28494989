#include "cgroup/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool is_directory(const Fd& parent, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  const auto status = stat_at(parent, entry.d_name);
  return status && S_ISDIR(status->st_mode);
}

std::vector<std::string> nested_names(const Fd& directory) {
  auto own = open_at_if_exists(directory, ".", kOpenDirectory);  // the position is not shared
  if (!own) return {};
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own->release()), ::closedir);
  if (!stream) throw Error::system(errno, "cannot list a cgroup");
  std::vector<std::string> names;
  // An error in the middle is one of a cgroup that vanishes.
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && is_directory(directory, *entry)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

void for_each_cgroup(const Fd& top, const std::function<void(const Fd& directory)>& visit) {
  visit(top);
  for (const std::string& name : nested_names(top)) {
    const auto nested = open_at_if_exists(top, name, kOpenDirectory);
    if (nested) for_each_cgroup(*nested, visit);
  }
}

}  // namespace still::cgroup
