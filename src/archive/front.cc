#include "archive/front.h"

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <utility>

#include "archive/compressor.h"
#include "archive/tar_stream.h"

namespace still::archive {
namespace {

constexpr size_t kTarBlockSize = 512;

std::string little_endian(uint64_t value, int bytes) {
  std::string result;
  for (; bytes > 0; --bytes, value >>= 8) result += static_cast<char>(value & 0xff);
  return result;
}

// The member's header, its content and padding, without an end-of-archive mark.
std::string tar_bytes(const std::string& name, const std::string& content) {
  std::string bytes;
  TarWriter tar([&](std::string_view data) { bytes += data; }, TarWriter::Detail::kCompact);
  TarMember member{};
  member.name = name;
  member.metadata.mode = S_IFREG | 0600;
  member.metadata.mtime.tv_sec = ::time(nullptr);
  member.size_bytes = content.size();
  tar.begin(member);
  tar.write(content);
  tar.end();
  return bytes;
}

std::string compressed(Compression compression, const std::string& bytes) {
  std::string result;
  const auto compressor =
      make_compressor(compression, [&](std::string_view data) { result += data; });
  compressor->write(bytes);
  compressor->finish();
  return result;
}

// Fills with a skippable frame (RFC 8878, 3.1.2): magic number, size, content.
std::string fill_zstd(std::string frame, size_t room) {
  constexpr size_t kHeaderSize = 8;
  constexpr uint32_t kMagic = 0x184d2a50;
  if (frame.size() == room) return frame;
  const size_t content = frame.size() + kHeaderSize < room ? room - frame.size() - kHeaderSize : 0;
  frame += little_endian(kMagic, 4) + little_endian(content, 4);
  frame.append(content, '\0');
  return frame;
}

// Fills with an extra field in the member's header (RFC 1952, 2.3.1.1): its size, then one
// subfield of two identifying letters, size and content.
std::string fill_gzip(std::string member, size_t room) {
  constexpr size_t kHeaderSize = 10;
  constexpr size_t kFlagsOffset = 3;
  constexpr char kExtraFlag = 4;
  constexpr size_t kSubfieldHeaderSize = 4;
  const size_t empty_size = member.size() + 2 + kSubfieldHeaderSize;
  if (member.size() == room) return member;
  const size_t content = empty_size < room ? room - empty_size : 0;
  member[kFlagsOffset] |= kExtraFlag;
  member.insert(kHeaderSize, little_endian(content + kSubfieldHeaderSize, 2) + "St" +
                                 little_endian(content, 2) + std::string(content, '\0'));
  return member;
}

}  // namespace

std::string pack_front(Compression compression, const std::string& member, std::string json,
                       size_t room) {
  switch (compression) {
    case Compression::kZstd:
      return fill_zstd(compressed(compression, tar_bytes(member, json)), room);
    case Compression::kGzip:
      return fill_gzip(compressed(compression, tar_bytes(member, json)), room);
    case Compression::kNone:
      // White space after a JSON value belongs to it; a header and the content fill the room.
      if (json.size() + kTarBlockSize < room) json.resize(room - kTarBlockSize, ' ');
      return tar_bytes(member, json);
  }
  std::unreachable();
}

}  // namespace still::archive
