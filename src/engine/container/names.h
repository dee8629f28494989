// Ids and names for what the user did not name.
#pragma once

#include <cstddef>
#include <string>

namespace still::engine {

// Random hexadecimal digits.
inline constexpr size_t kIdLength = 64;
std::string make_id();

// "adjective_noun", made from random bytes.
std::string make_name();

}  // namespace still::engine
