// Values in templates: how Go prints them, and the functions that templates may call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/output/json.h"

namespace still::cli {

// As Go's text/template prints a value: strings bare, lists "[a b]", objects "map[k:v]".
std::string go_text(const Json& value);

// Go's truth: false, 0, "", null, empty lists and objects are false.
bool is_true(const Json& value);

// The field of an object. Throws Error(kUsage) naming the field if there is none.
const Json& field(const Json& value, const std::string& name);

// json, join, index, len, lower, upper, println, not, eq, ne. Throws Error(kUsage) for an unknown
// name or arguments that do not fit.
Json call_function(const std::string& name, const std::vector<Json>& arguments);

}  // namespace still::cli
