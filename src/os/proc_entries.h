// Directories of /proc, whose entries come and go.
#pragma once

#include <filesystem>
#include <system_error>

namespace still {

// Calls visit with the path of each entry. What vanishes meanwhile, or is not to be read, is left
// out, the directory itself as well.
template <typename Visit>
void for_each_proc_entry(const std::filesystem::path& directory, const Visit& visit) {
  std::error_code ended;
  std::filesystem::directory_iterator entry(directory, ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    visit(entry->path());
  }
}

}  // namespace still
