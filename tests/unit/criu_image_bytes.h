// CRIU's images by hand: protobuf (its wire format) in CRIU's frames.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace still::test {

inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string number(int field, uint64_t value) { return varint(field << 3) + varint(value); }
inline std::string bytes(int field, const std::string& value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}
inline std::string word(uint32_t value) {
  std::string result(4, '\0');
  std::memcpy(result.data(), &value, sizeof value);
  return result;
}

inline constexpr uint32_t kImage = 0x54564319;
inline std::string image(uint32_t magic, const std::vector<std::string>& entries) {
  std::string result = word(kImage) + word(magic);
  for (const std::string& entry : entries) {
    result += word(static_cast<uint32_t>(entry.size()));
    result += entry;
  }
  return result;
}

}  // namespace still::test
