#include "archive/header_check.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"

namespace still::archive {
namespace {

constexpr size_t kBlockSize = 512;
constexpr size_t kSizeOffset = 124;
constexpr size_t kSizeLength = 12;
constexpr size_t kTypeOffset = 156;

// The size field: octal digits, or with the top bit set a big-endian number.
uint64_t size_field(std::string_view block) {
  const std::string_view field = block.substr(kSizeOffset, kSizeLength);
  const bool binary = (field[0] & 0x80) != 0;
  uint64_t size = 0;
  for (const char c : binary ? field.substr(4) : field) {
    if (binary) {
      size = size << 8 | static_cast<unsigned char>(c);
    } else if (c >= '0' && c <= '7') {
      size = size * 8 + static_cast<uint64_t>(c - '0');
    } else if (c != ' ' && c != '\t') {
      break;
    }
  }
  return size;
}

[[noreturn]] void refuse() {
  throw Error(ErrorKind::kCorrupt, "a header of the archive has a NUL in a name");
}

// Records of the form "LENGTH KEY=VALUE\n"; what is malformed is for libarchive to refuse.
void check_pax_records(std::string_view body) {
  while (!body.empty()) {
    size_t length = 0;
    size_t digits = 0;
    for (; digits < body.size() && body[digits] >= '0' && body[digits] <= '9'; ++digits) {
      length = std::min<size_t>(length * 10 + static_cast<size_t>(body[digits] - '0'), body.size());
    }
    if (length <= digits) return;
    const std::string_view record = body.substr(0, length).substr(digits);
    const bool may_be_binary =
        record.starts_with(" SCHILY.xattr.") || record.starts_with(" LIBARCHIVE.xattr.");
    const std::string_view text = may_be_binary ? record.substr(0, record.find('=')) : record;
    if (text.contains('\0')) refuse();
    body.remove_prefix(length);
  }
}

// GNU's long names: the name and NULs behind it.
void check_long_name(std::string_view body) {
  const size_t last = body.find_last_not_of('\0');
  if (last != std::string_view::npos && body.substr(0, last).contains('\0')) refuse();
}

}  // namespace

void refuse_nul_in_headers(std::string_view headers) {
  while (headers.size() >= kBlockSize) {
    const char type = headers[kTypeOffset];
    const uint64_t size = size_field(headers);
    headers.remove_prefix(kBlockSize);
    if (!std::string_view("xXgLKA").contains(type)) return;  // the member's own header
    const std::string_view body = headers.substr(0, size);
    if (type == 'x' || type == 'X') check_pax_records(body);
    if (type == 'L' || type == 'K') check_long_name(body);
    const size_t blocks = (body.size() + kBlockSize - 1) / kBlockSize;
    headers.remove_prefix(std::min(blocks * kBlockSize, headers.size()));
  }
}

}  // namespace still::archive
