#include "engine/container/names.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace still::engine {
namespace {

constexpr std::array<std::string_view, 64> kAdjectives = {
    "amber",   "ample",  "apt",    "azure",  "bold",    "brave",    "bright", "brisk",
    "calm",    "candid", "clear",  "clever", "cosy",    "crisp",    "deep",   "deft",
    "eager",   "early",  "even",   "fair",   "fine",    "firm",     "fleet",  "fond",
    "frank",   "fresh",  "gentle", "glad",   "golden",  "grand",    "hardy",  "honest",
    "humble",  "jolly",  "keen",   "kind",   "lasting", "light",    "lively", "loyal",
    "lucid",   "mellow", "mild",   "modest", "neat",    "nimble",   "noble",  "patient",
    "plain",   "proud",  "quick",  "quiet",  "ready",   "serene",   "silent", "simple",
    "sincere", "steady", "still",  "sturdy", "tidy",    "tranquil", "warm",   "wise"};

constexpr std::array<std::string_view, 64> kNouns = {
    "alder",  "aspen",  "badger", "bay",     "beacon",  "birch",   "brook",  "canyon",
    "cedar",  "cliff",  "cloud",  "comet",   "coral",   "crane",   "delta",  "dune",
    "falcon", "fern",   "finch",  "fjord",   "forest",  "glacier", "grove",  "harbor",
    "hazel",  "heron",  "hill",   "island",  "juniper", "lagoon",  "lake",   "lark",
    "linden", "maple",  "marsh",  "meadow",  "mesa",    "moon",    "moss",   "oak",
    "otter",  "pebble", "pine",   "plover",  "pond",    "prairie", "raven",  "reef",
    "ridge",  "river",  "robin",  "rowan",   "shore",   "sparrow", "spring", "spruce",
    "star",   "stone",  "swan",   "thicket", "tide",    "valley",  "willow", "wren"};

void fill_random(void* buffer, size_t size) {
  // Up to 256 bytes come whole.
  if (::getrandom(buffer, size, 0) != static_cast<ssize_t>(size)) {
    throw Error::system(errno, "cannot get random bytes");
  }
}

}  // namespace

std::string make_id() {
  char bytes[32];
  fill_random(bytes, sizeof bytes);
  return hex({bytes, sizeof bytes});
}

std::string make_name() {
  uint8_t bytes[2];
  fill_random(bytes, sizeof bytes);
  return std::string(kAdjectives[bytes[0] % kAdjectives.size()]) + "_" +
         std::string(kNouns[bytes[1] % kNouns.size()]);
}

}  // namespace still::engine
