// Ids and names for what the user did not name.
#pragma once

#include <string>

namespace still::engine {

// store::kIdLength random hexadecimal digits.
std::string make_id();

// "adjective_noun", made from random bytes.
std::string make_name();

}  // namespace still::engine
