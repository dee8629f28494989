#include "cli/output/template_value.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/text.h"

namespace still::cli {
namespace {

using Arguments = std::vector<Json>;

Error bad_argument(const std::string& function, const std::string& expected) {
  return Error(ErrorKind::kUsage, "template function " + function + " wants " + expected);
}

std::string list_text(const Json& list) {
  std::vector<std::string> parts;
  for (const Json& element : list) parts.push_back(go_text(element));
  return "[" + join(parts, " ") + "]";
}

// Go prints maps sorted by key.
std::string map_text(const Json& object) {
  std::map<std::string, std::string> sorted;
  for (const auto& [key, value] : object.items()) sorted[key] = go_text(value);
  std::vector<std::string> parts;
  for (const auto& [key, value] : sorted) parts.push_back(key + ":" + value);
  return "map[" + join(parts, " ") + "]";
}

Json index(const Arguments& arguments) {
  const Json& container = arguments.at(0);
  const Json& key = arguments.at(1);
  if (container.is_array() && key.is_number_integer()) {
    const auto position = key.get<int64_t>();
    if (position >= 0 && static_cast<size_t>(position) < container.size()) {
      return container[static_cast<size_t>(position)];
    }
    throw Error(ErrorKind::kUsage, "template: index out of range: " + std::to_string(position));
  }
  if (!key.is_string() || !(container.is_object() || container.is_null())) {
    throw bad_argument("index", "a list and a number or an object and a name");
  }
  return container.is_object() ? container.value(key.get<std::string>(), Json("")) : Json("");
}

Json join_list(const Arguments& arguments) {
  if (!arguments[0].is_array() && !arguments[0].is_null()) {
    throw bad_argument("join", "a list and a separator");
  }
  std::vector<std::string> parts;
  for (const Json& element : arguments[0]) parts.push_back(go_text(element));
  return join(parts, go_text(arguments[1]));
}

Json length(const Arguments& arguments) {
  const Json& value = arguments[0];
  if (value.is_string()) return value.get<std::string>().size();
  if (value.is_structured() || value.is_null()) return value.size();
  throw bad_argument("len", "a list, an object or a string");
}

Json change_case(const Json& value, int (*change)(int)) {
  std::string text = go_text(value);
  std::ranges::transform(text, text.begin(),
                         [change](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

Json print_line(const Arguments& arguments) {
  std::vector<std::string> parts;
  for (const Json& argument : arguments) parts.push_back(go_text(argument));
  return join(parts, " ") + "\n";
}

struct Function {
  size_t least;  // number of arguments
  size_t most;
  std::function<Json(const Arguments&)> call;
};

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"json",
       {1, 1,
        [](const Arguments& a) {
          return Json(a[0].dump(-1, ' ', false, Json::error_handler_t::replace));
        }}},
      {"join", {2, 2, join_list}},
      {"index", {2, 2, index}},
      {"len", {1, 1, length}},
      {"lower", {1, 1, [](const Arguments& a) { return change_case(a[0], std::tolower); }}},
      {"upper", {1, 1, [](const Arguments& a) { return change_case(a[0], std::toupper); }}},
      {"println", {0, 64, print_line}},
      {"not", {1, 1, [](const Arguments& a) { return Json(!is_true(a[0])); }}},
      {"eq", {2, 2, [](const Arguments& a) { return Json(a[0] == a[1]); }}},
      {"ne", {2, 2, [](const Arguments& a) { return Json(a[0] != a[1]); }}},
  };
  return table;
}

}  // namespace

std::string go_text(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return value.get<std::string>();
    case Json::value_t::array:
      return list_text(value);
    case Json::value_t::object:
      return map_text(value);
    case Json::value_t::null:
      return "<nil>";
    default:
      return value.dump();
  }
}

bool is_true(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value != 0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.empty();
}

const Json& field(const Json& value, const std::string& name) {
  if (!value.is_object() || !value.contains(name)) {
    throw Error(ErrorKind::kUsage, "template: no field ." + printable(name),
                "`inspect` and `--format json` show which fields there are");
  }
  return value[name];
}

Json call_function(const std::string& name, const std::vector<Json>& arguments) {
  const auto found = functions().find(name);
  if (found == functions().end()) {
    throw Error(ErrorKind::kUsage, "template: function \"" + printable(name) + "\" not defined");
  }
  const Function& function = found->second;
  if (arguments.size() < function.least || arguments.size() > function.most) {
    throw bad_argument(name, std::to_string(function.least) + " argument(s)");
  }
  return function.call(arguments);
}

}  // namespace still::cli
