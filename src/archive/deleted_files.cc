#include "archive/deleted_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/members.h"
#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::archive {
namespace {

using nlohmann::json;

// The length of the well-formed UTF-8 sequence at the start of text; 0 if there is none. Overlong
// forms and surrogates are not well-formed (Unicode 15, table 3-7).
size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool malformed = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                         (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return malformed ? 0 : length;
}

// U+F780..U+F7FF in UTF-8: EF 9E 80..BF and EF 9F 80..BF.
constexpr char kEscapeLead = '\xef';

bool is_escape(std::string_view sequence) {
  return sequence.size() == 3 && sequence[0] == kEscapeLead &&
         (sequence[1] == '\x9e' || sequence[1] == '\x9f');
}

std::string escape(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return {kEscapeLead, byte < 0xc0 ? '\x9e' : '\x9f', static_cast<char>(0x80 | (byte & 0x3f))};
}

char unescape(std::string_view sequence) {
  const int high = sequence[1] == '\x9e' ? 0x80 : 0xc0;
  return static_cast<char>(high | (static_cast<unsigned char>(sequence[2]) & 0x3f));
}

// Characters of the escape range that a name really has are escaped byte by byte, too: every name
// comes back as it was.
std::string encode_bytes(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    if (length == 0 || is_escape(bytes.substr(0, length))) {
      text += escape(bytes[0]);
      bytes.remove_prefix(1);
    } else {
      text += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return text;
}

std::string decode_bytes(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(utf8_length(text), 1);
    const std::string_view sequence = text.substr(0, length);
    if (is_escape(sequence)) {
      bytes += unescape(sequence);
    } else {
      bytes += sequence;
    }
    text.remove_prefix(length);
  }
  return bytes;
}

}  // namespace

std::string write_deleted_files(const std::vector<std::string>& paths) {
  json list = json::array();
  for (const std::string& path : paths) list.push_back(encode_bytes(path));
  return list.dump();
}

std::vector<std::string> parse_deleted_files(std::string_view text) try {
  std::vector<std::string> paths;
  for (const std::string& path : json::parse(text).get<std::vector<std::string>>()) {
    paths.push_back(decode_bytes(path.starts_with('/') ? path.substr(1) : path));
    if (!paths.back().starts_with('/')) continue;
    throw Error(ErrorKind::kCorrupt,
                formatted("{}: \"{}\" begins with two slashes", name_of(MemberKind::kDeletedFiles),
                          printable(path)));
  }
  return paths;
} catch (const json::exception& error) {
  throw damaged_member(MemberKind::kDeletedFiles, error);
}

}  // namespace still::archive
