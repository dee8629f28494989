#include "criu/seccomp.h"

#include <linux/seccomp.h>

#include "base/format.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu/memory_images.h"

namespace still::criu {

std::string runtime_filter(const std::filesystem::path& images) {
  const auto processes = read_processes(images);
  if (processes.empty()) fail_corrupt_image(images / "pstree.img");
  const auto core = read_single<messages::Core>(
      images / formatted("core-{}.img", processes.front().pid), kCoreImage);
  if (core.thread().seccomp_mode() != SECCOMP_MODE_FILTER) return {};
  const auto file = images / "seccomp.img";
  const auto seccomp = read_single<messages::Seccomp>(file, kSeccompImage);
  uint32_t place = core.thread().seccomp_filter();
  // Each names the one before it; as many steps as there are filters lead to the first.
  for (int step = 0; step < seccomp.filters_size(); ++step) {
    if (place >= static_cast<uint32_t>(seccomp.filters_size())) break;
    const messages::SeccompFilter& filter = seccomp.filters(static_cast<int>(place));
    if (!filter.has_previous()) return filter.program();
    place = filter.previous();
  }
  fail_corrupt_image(file);
}

}  // namespace still::criu
