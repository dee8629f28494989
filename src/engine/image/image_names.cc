#include "engine/image/image_names.h"

#include <sys/utsname.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "engine/image/image_config.h"

namespace still::engine {
namespace {

bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("._-/:@").contains(c);
}

void check(const std::string& name) {
  const auto parts = split(name, '/');
  const bool valid = std::ranges::all_of(name, is_name_character) &&
                     std::ranges::none_of(parts, [](const std::string& part) {
                       return part.empty() || !std::isalnum(static_cast<unsigned char>(part[0]));
                     });
  if (valid) return;
  throw Error(ErrorKind::kUsage, "\"" + printable(name) + "\" is no name of an image",
              "write it like localhost/redis:7");
}

bool has_registry(const std::string& name) {
  const size_t slash = name.find('/');
  if (slash == std::string::npos) return false;
  const std::string first = name.substr(0, slash);
  return first == "localhost" || first.find_first_of(".:") != std::string::npos;
}

std::string with_tag(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t base = slash == std::string::npos ? 0 : slash;
  return name.find_first_of(":@", base) == std::string::npos ? name + ":latest" : name;
}

}  // namespace

std::string full_image_name(const std::string& name) {
  check(name);
  return with_tag(has_registry(name) ? name : "localhost/" + name);
}

std::string full_docker_name(const std::string& name) {
  check(name);
  if (has_registry(name)) return with_tag(name);
  return with_tag((name.contains('/') ? "docker.io/" : "docker.io/library/") + name);
}

std::string oci_architecture() {
  utsname machine{};
  ::uname(&machine);
  const std::string_view name = machine.machine;
  if (name == "x86_64") return "amd64";
  if (name == "aarch64") return "arm64";
  return std::string(name);
}

}  // namespace still::engine
