#include "contents/images.h"

#include "archive/members.h"
#include "base/error.h"

namespace still::contents {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{512} << 20;

}  // namespace

std::string image_of(const std::string& member) {
  const std::string prefix = archive::name_of(archive::MemberKind::kImage) + "/";
  return member.starts_with(prefix) ? member.substr(prefix.size()) : "";
}

void KeptImages::add(uint64_t size_bytes) {
  bytes_ += size_bytes;
  if (bytes_ > kMaxBytes) {
    throw Error(ErrorKind::kCorrupt, "the images are too large to be looked at");
  }
}

}  // namespace still::contents
