#include "archive/seen_paths.h"

#include <openssl/sha.h>

#include <array>
#include <cstring>

namespace still::archive {
namespace {

constexpr size_t kFirstSlots = 1024;
constexpr uint64_t kKindBits = 3;

}  // namespace

SeenPaths::SeenPaths() : slots_(kFirstSlots) {}

SeenPaths::Slot SeenPaths::digest_of(std::string_view path) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(path.data()), path.size(), digest.data());
  Slot slot;
  std::memcpy(&slot, digest.data(), sizeof slot);
  slot.low &= ~kKindBits;
  return slot;
}

size_t SeenPaths::place_of(const Slot& digest) const {
  size_t place = digest.high & (slots_.size() - 1);
  for (;; place = (place + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[place];
    const bool is_free = (slot.low & kKindBits) == 0;
    if (is_free || (slot.high == digest.high && (slot.low & ~kKindBits) == digest.low)) {
      return place;
    }
  }
}

std::optional<SeenPaths::Kind> SeenPaths::find(std::string_view path) const {
  const uint64_t kind = slots_[place_of(digest_of(path))].low & kKindBits;
  return kind == 0 ? std::nullopt : std::optional(static_cast<Kind>(kind));
}

void SeenPaths::put(std::string_view path, Kind kind) {
  Slot digest = digest_of(path);
  Slot& slot = slots_[place_of(digest)];
  const bool is_new = (slot.low & kKindBits) == 0;
  digest.low |= static_cast<uint64_t>(kind);
  slot = digest;
  if (is_new && ++size_ > slots_.size() / 3 * 2) grow();
}

void SeenPaths::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if ((slot.low & kKindBits) == 0) continue;
    slots_[place_of({.high = slot.high, .low = slot.low & ~kKindBits})] = slot;
  }
}

}  // namespace still::archive
