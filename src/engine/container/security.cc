#include "engine/container/security.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "oci/capabilities.h"
#include "oci/spec.h"

namespace still::engine {
namespace {

std::set<std::string> as_set(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

bool is_all(const std::string& name) { return name == "ALL" || name == "all"; }

}  // namespace

Security security_of(const ContainerConfig& config) {
  Security security;
  for (const std::string& option : config.security_options) {
    if (option == "no-new-privileges" || option == "no-new-privileges:true" ||
        option == "no-new-privileges=true") {
      security.no_new_privileges = true;
    } else if (option == "no-new-privileges:false" || option == "no-new-privileges=false") {
      security.no_new_privileges = false;
    } else if (option == "seccomp=unconfined") {
      security.seccomp = false;
    } else {
      throw Error(ErrorKind::kUnsupported, "unknown security option \"" + printable(option) + "\"",
                  "supported are no-new-privileges and seccomp=unconfined");
    }
  }
  return security;
}

std::vector<std::string> effective_capabilities(const ContainerConfig& config) {
  std::set<std::string> result;
  if (!std::ranges::any_of(config.drop_capabilities, is_all)) {
    result = as_set(oci::default_capabilities());
  }
  for (const std::string& name : config.add_capabilities) {
    if (is_all(name)) {
      result.merge(as_set(oci::all_capabilities()));
    } else {
      result.insert(oci::normalize_capability(name));
    }
  }
  for (const std::string& name : config.drop_capabilities) {
    if (!is_all(name)) result.erase(oci::normalize_capability(name));
  }
  return {result.begin(), result.end()};
}

}  // namespace still::engine
