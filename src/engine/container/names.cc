#include "engine/container/names.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "os/random.h"
#include "store/records.h"

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

}  // namespace

std::string make_id() { return hex(random_bytes(store::kIdLength / 2)); }

std::string make_name() {
  const std::string bytes = random_bytes(2);
  const auto pick = [](const auto& words, char byte) {
    return std::string(words[static_cast<uint8_t>(byte) % words.size()]);
  };
  return pick(kAdjectives, bytes[0]) + "_" + pick(kNouns, bytes[1]);
}

}  // namespace still::engine
