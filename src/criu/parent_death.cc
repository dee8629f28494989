#include "criu/parent_death.h"

#include "base/format.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu/memory_images.h"

namespace still::criu {

void forget_parent_death(const std::filesystem::path& images) {
  const auto processes = read_processes(images);
  if (processes.empty()) return;
  for (const pid_t thread : processes.front().threads) {
    const auto file = images / formatted("core-{}.img", thread);
    auto core = read_single<messages::Core>(file, kCoreImage);
    if (core.thread().parent_death_signal() == 0) continue;
    core.mutable_thread()->clear_parent_death_signal();
    write_file_atomically(file, make_image(kCoreImage, core), 0600);
  }
}

}  // namespace still::criu
