#include "criu/wiped_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "base/format.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu/memory_images.h"
#include "os/files.h"
#include "os/tasks.h"

namespace still::criu {
namespace {

bool is_within(const messages::Mapping& mapping, const std::vector<AddressRange>& ranges) {
  return std::ranges::any_of(ranges, [&](const AddressRange& range) {
    return range.first <= mapping.start() && mapping.end() <= range.second;
  });
}

void note(const std::filesystem::path& image, const std::vector<AddressRange>& ranges) {
  auto mm = read_single<messages::Mm>(image, kMmImage);
  bool is_changed = false;
  for (messages::Mapping& mapping : *mm.mutable_mappings()) {
    if (!is_within(mapping, ranges)) continue;
    mapping.set_advice(mapping.advice() | uint64_t{1} << MADV_WIPEONFORK);
    is_changed = true;
  }
  if (is_changed) write_image(image, make_image(kMmImage, mm));
}

}  // namespace

WipedMemory read_wiped_memory(const std::vector<pid_t>& processes) {
  WipedMemory found;
  for (const pid_t process : processes) {
    auto ranges = mappings_with_flags(process, {"wf"});
    if (ranges.empty()) continue;
    if (const pid_t number = inner_pid(process)) found[number] = std::move(ranges);
  }
  return found;
}

void note_wiped_memory(const std::filesystem::path& images, const WipedMemory& memory) {
  for (const auto& [process, ranges] : memory) {
    const auto image = images / formatted("mm-{}.img", process);
    if (path_exists(image)) note(image, ranges);  // a process that has just ended has none
  }
}

}  // namespace still::criu
