// `image import --change`: single Dockerfile instructions.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/signals.h"
#include "engine/image/image_config.h"

namespace still::engine {
namespace {

[[noreturn]] void refuse(const std::string& change, const std::string& hint) {
  throw Error(ErrorKind::kUsage, "cannot apply the change \"" + printable(change) + "\"", hint);
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

// A JSON array of words, or the text for a shell.
std::vector<std::string> parse_command(const std::string& value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (json.is_array() &&
      std::ranges::all_of(json, [](const auto& word) { return word.is_string(); })) {
    return json.get<std::vector<std::string>>();
  }
  return {"/bin/sh", "-c", value};
}

// A JSON array of words, or words with spaces between.
std::vector<std::string> parse_words(const std::string& value) {
  if (value.starts_with('[')) {
    auto words = parse_command(value);
    if (!words.empty() && words[0] != "/bin/sh") return words;
  }
  auto words = split(value, ' ');
  std::erase(words, "");
  return words;
}

// "NAME=value", the value perhaps in double quotes; "NAME value" as in old Dockerfiles.
std::pair<std::string, std::string> parse_assignment(const std::string& change,
                                                     const std::string& value) {
  size_t separator = value.find('=');
  if (separator == std::string::npos) separator = value.find(' ');
  if (separator == std::string::npos || separator == 0) refuse(change, "write NAME=value");
  std::string right = value.substr(separator + 1);
  if (right.size() >= 2 && right.front() == '"' && right.back() == '"') {
    right = right.substr(1, right.size() - 2);
  }
  return {value.substr(0, separator), right};
}

void set_variable(ImageConfig& image, const std::pair<std::string, std::string>& assignment) {
  const std::string prefix = assignment.first + "=";
  std::erase_if(image.environment, [&](const auto& entry) { return entry.starts_with(prefix); });
  image.environment.push_back(prefix + assignment.second);
}

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

}  // namespace

void apply_change(ImageConfig& image, const std::string& change) {
  const std::string text(trim(change));
  const size_t end = std::min(text.find_first_of(" =\t"), text.size());
  const std::string instruction = upper(text.substr(0, end));
  const std::string value(trim(std::string_view(text).substr(std::min(end + 1, text.size()))));
  if (value.empty()) refuse(change, "write INSTRUCTION VALUE, for example CMD [\"sh\"]");
  if (instruction == "CMD") {
    image.command = parse_command(value);
  } else if (instruction == "ENTRYPOINT") {
    image.entrypoint = parse_command(value);
  } else if (instruction == "ENV") {
    set_variable(image, parse_assignment(change, value));
  } else if (instruction == "LABEL") {
    image.labels.insert_or_assign(parse_assignment(change, value).first,
                                  parse_assignment(change, value).second);
  } else if (instruction == "WORKDIR") {
    image.directory = value;
  } else if (instruction == "USER") {
    image.user = value;
  } else if (instruction == "STOPSIGNAL") {
    parse_signal(value);
    image.stop_signal = value;
  } else if (instruction == "VOLUME") {
    append(image.volumes, parse_words(value));
  } else if (instruction == "EXPOSE") {
    append(image.exposed_ports, parse_words(value));
  } else {
    refuse(change, "use CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR");
  }
}

}  // namespace still::engine
