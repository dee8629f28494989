// The frame around the protobuf message of a CRIU image: two magic numbers, a length, the message.
// All numbers are 32 bits, little endian. Internal to criu/.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "os/files.h"

namespace still::criu {

[[noreturn]] void fail_corrupt_image(const std::filesystem::path& file);

// Images with any number of messages, each behind its length; the magic numbers are those of
// CRIU's criu/include/magic.h. inventory.img alone has no kind in front.
struct ImageKind {
  uint32_t kind;  // 0: none
  uint32_t type;
};
inline constexpr ImageKind kStatisticsImage{0x55105940, 0x57093306};  // a service file
inline constexpr ImageKind kInventoryImage{0, 0x58313116};
inline constexpr ImageKind kTreeImage{0x54564319, 0x50273030};
inline constexpr ImageKind kCoreImage{0x54564319, 0x55053847};
inline constexpr ImageKind kIdsImage{0x54564319, 0x54432030};
inline constexpr ImageKind kMountsImage{0x54564319, 0x55563928};
inline constexpr ImageKind kFilesImage{0x54564319, 0x56303138};
inline constexpr ImageKind kDescriptorsImage{0x54564319, 0x56213732};
inline constexpr ImageKind kCgroupImage{0x54564319, 0x59383330};
inline constexpr ImageKind kNetworkImage{0x54564319, 0x55933752};
inline constexpr ImageKind kNetworkDeviceImage{0x54564319, 0x57373951};
inline constexpr ImageKind kRemapImage{0x54564319, 0x59133954};
inline constexpr ImageKind kSeccompImage{0x54564319, 0x64413049};
inline constexpr ImageKind kMmImage{0x54564319, 0x57492820};
inline constexpr ImageKind kPageMapImage{0x54564319, 0x56084025};
inline constexpr ImageKind kGhostFileImage{0x54564319, 0x52583605};
// Throws Error(kCorrupt).
std::vector<std::string_view> image_entries(std::string_view image, const ImageKind& kind);
// The first message, whatever follows it. Throws Error(kCorrupt).
std::string_view first_image_entry(std::string_view image, const ImageKind& kind);

// An image with nothing in it, and an entry behind what it has already.
std::string begin_image(const ImageKind& kind);
void append_entry(std::string& image, const google::protobuf::MessageLite& message);

template <typename Message>
Message parse_entry(std::string_view entry, const std::filesystem::path& file) {
  Message message;
  if (!message.ParsePartialFromString(std::string(entry)) || !message.IsInitialized()) {
    fail_corrupt_image(file);
  }
  return message;
}
// The only entry of an image that has one. Throws Error(kCorrupt), Error(kSystem).
template <typename Message>
Message read_single(const std::filesystem::path& file, const ImageKind& kind) {
  const std::string content = read_file(file);
  const auto entries = image_entries(content, kind);
  if (entries.size() != 1) fail_corrupt_image(file);
  return parse_entry<Message>(entries[0], file);
}
// Throws Error(kSystem).
void write_image(const std::filesystem::path& file, const std::string& content);

// The message of an image that has one. file is for errors. Throws Error(kCorrupt).
std::string_view image_payload(std::string_view image, const ImageKind& kind,
                               const std::filesystem::path& file);

std::string make_image(const ImageKind& kind, const google::protobuf::MessageLite& message);

template <typename Message>
Message parse_image(std::string_view image, const ImageKind& kind,
                    const std::filesystem::path& file) {
  Message message;
  // Not ParseFromString: that writes to standard error when a field is missing.
  const std::string payload(image_payload(image, kind, file));
  if (!message.ParsePartialFromString(payload) || !message.IsInitialized()) {
    fail_corrupt_image(file);
  }
  return message;
}

}  // namespace still::criu
