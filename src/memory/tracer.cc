#include "memory/tracer.h"

#include <utility>

#include "os/signals.h"

namespace still::memory {

std::future<void> Tracer::start(std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  auto done = task.get_future();
  {
    const std::scoped_lock lock(mutex_);
    task_ = std::move(task);
  }
  changed_.notify_one();
  return done;
}

void Tracer::serve(const std::stop_token& stop) {
  leave_signals_to_others();
  for (;;) {
    std::packaged_task<void()> task;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return task_.valid(); })) return;
      task = std::move(task_);
    }
    task();
  }
}

}  // namespace still::memory
