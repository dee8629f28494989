#include "criu/image.h"

#include <fcntl.h>

#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace still::criu {
namespace {

constexpr size_t kHeadSize = 12;

uint32_t number_at(std::string_view bytes, size_t position) {
  uint32_t value = 0;
  for (size_t i = 4; i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[position + i - 1]);
  }
  return value;
}

void append_number(std::string& bytes, uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}

[[noreturn]] void fail_other_kind() {
  throw Error(ErrorKind::kCorrupt, "it is no CRIU image of its kind");
}

uint32_t take_number(std::string_view& image) {
  if (image.size() < sizeof(uint32_t)) fail_other_kind();
  const uint32_t number = number_at(image, 0);
  image.remove_prefix(sizeof number);
  return number;
}

void take_magic(std::string_view& image, const ImageKind& kind) {
  if (kind.kind != 0 && take_number(image) != kind.kind) fail_other_kind();
  if (take_number(image) != kind.type) fail_other_kind();
}

std::string_view take_entry(std::string_view& image) {
  const uint32_t size = take_number(image);
  if (size > image.size()) fail_other_kind();
  const std::string_view entry = image.substr(0, size);
  image.remove_prefix(size);
  return entry;
}

}  // namespace

std::string_view image_payload(std::string_view image, const ImageKind& kind,
                               const std::filesystem::path& file) {
  if (image.size() < kHeadSize || number_at(image, 0) != kind.kind ||
      number_at(image, 4) != kind.type || number_at(image, 8) != image.size() - kHeadSize) {
    fail_corrupt_image(file);
  }
  return image.substr(kHeadSize);
}

std::vector<std::string_view> image_entries(std::string_view image, const ImageKind& kind) {
  take_magic(image, kind);
  std::vector<std::string_view> entries;
  while (!image.empty()) entries.push_back(take_entry(image));
  return entries;
}

std::string_view first_image_entry(std::string_view image, const ImageKind& kind) {
  take_magic(image, kind);
  return take_entry(image);
}

std::string begin_image(const ImageKind& kind) {
  std::string image;
  if (kind.kind != 0) append_number(image, kind.kind);
  append_number(image, kind.type);
  return image;
}

void append_entry(std::string& image, const google::protobuf::MessageLite& message) {
  const std::string payload = message.SerializeAsString();
  append_number(image, static_cast<uint32_t>(payload.size()));
  image += payload;
}

void fail_corrupt_image(const std::filesystem::path& file) {
  throw Error(ErrorKind::kCorrupt, printable(file.native()) + " is damaged or no CRIU image");
}

void write_image(const std::filesystem::path& file, const std::string& content) {
  write_all(open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0600), content);
}

std::string make_image(const ImageKind& kind, const google::protobuf::MessageLite& message) {
  std::string image = begin_image(kind);
  append_entry(image, message);
  return image;
}

}  // namespace still::criu
