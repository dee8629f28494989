#include "store/layout.h"

#include <cstdlib>

#include "os/files.h"

namespace still::store {
namespace {

constexpr const char* kDefaultRoot = "/var/lib/still";
constexpr const char* kDefaultRunroot = "/run/still";

std::optional<std::string> given(const std::optional<std::string>& argument, const char* variable) {
  if (argument && !argument->empty()) return argument;
  const char* value = ::getenv(variable);
  if (value != nullptr && *value != '\0') return value;
  return std::nullopt;
}

std::filesystem::path normalized(const std::string& path) {
  auto result = std::filesystem::absolute(path).lexically_normal();
  return result.has_filename() || result == result.root_path() ? result : result.parent_path();
}

}  // namespace

Layout Layout::resolve(const std::optional<std::string>& root,
                       const std::optional<std::string>& runroot) {
  Layout layout;
  layout.root = normalized(given(root, "STILL_ROOT").value_or(kDefaultRoot));
  const auto run = given(runroot, "STILL_RUNROOT");
  if (run) {
    layout.runroot = normalized(*run);
  } else {
    layout.runroot = layout.root == kDefaultRoot ? kDefaultRunroot : layout.root / "run";
  }
  return layout;
}

void Layout::create() const {
  for (const auto& directory : {root, containers(), volumes(), layers(), runroot}) {
    make_directories(directory, 0711);
  }
  for (const auto& directory :
       {staging(), locks(), exits(), runroot / "containers", runroot / "runtime"}) {
    make_directories(directory, 0700);
  }
}

}  // namespace still::store
