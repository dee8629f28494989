#include "os/fdinfo.h"

#include <cstdlib>
#include <string>

#include "os/process_status.h"

namespace still {

uint64_t fdinfo_number(std::string_view information, std::string_view field, int base) {
  const std::string digits = status_field(information, field).value_or("0");
  return std::strtoull(digits.c_str(), nullptr, base);
}

bool has_open_flag(std::string_view information, uint64_t flag) {
  constexpr int kOctal = 8;
  return (fdinfo_number(information, "flags", kOctal) & flag) != 0;
}

}  // namespace still
