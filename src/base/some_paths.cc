#include "base/some_paths.h"

#include "base/format.h"
#include "base/text.h"

namespace still {

void SomePaths::add(std::string_view path) {
  ++count;
  if (first.size() < kPathsKept) first.emplace_back(path);
}

std::string describe(const SomePaths& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths.first) names.push_back(printable_name(path));
  std::string text = join(names, ", ");
  if (paths.count > paths.first.size()) {
    text += formatted(" and {} more", paths.count - paths.first.size());
  }
  return text;
}

}  // namespace still
