#include "cli/output/yaml.h"

#include <cctype>

namespace still::cli {
namespace {

// A word that YAML reads as the same string. Everything else is quoted as in JSON, which is YAML.
bool is_plain(const std::string& text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text[0])) == 0) {
    return text.starts_with('/') && !text.contains('\n');
  }
  if (text == "true" || text == "false" || text == "null" || text == "yes" || text == "no") {
    return false;
  }
  return text.find_first_of("\n\t\"'#") == std::string::npos && !text.contains(": ") &&
         !text.ends_with(':');
}

std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value.get_ref<const std::string&>())) return value;
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string block(const Json& value, const std::string& indent);

std::string object(const Json& value, const std::string& indent) {
  std::string text;
  for (const auto& [key, element] : value.items()) {
    const bool nested = element.is_structured() && !element.empty();
    text += indent + key + ":";
    text += nested ? "\n" + block(element, element.is_object() ? indent + "  " : indent)
                   : " " + scalar(element) + "\n";
  }
  return text;
}

// "- " stands where the first line's indentation would be.
std::string list(const Json& value, const std::string& indent) {
  std::string text;
  for (const Json& element : value) {
    const bool nested = element.is_structured() && !element.empty();
    std::string item =
        nested ? block(element, indent + "  ") : indent + "  " + scalar(element) + "\n";
    item[indent.size()] = '-';
    text += item;
  }
  return text;
}

std::string block(const Json& value, const std::string& indent) {
  return value.is_object() ? object(value, indent) : list(value, indent);
}

}  // namespace

std::string to_yaml(const Json& value) {
  return value.is_structured() && !value.empty() ? block(value, "") : scalar(value) + "\n";
}

}  // namespace still::cli
