#include "memory/threads.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "os/process_status.h"
#include "os/tasks.h"

namespace still::memory {

std::vector<Tracee> seize_threads(pid_t process) {
  std::vector<Tracee> threads;
  for (const pid_t tid : threads_of(process)) {
    if (auto thread = Tracee::seize(tid)) threads.push_back(std::move(*thread));
  }
  return threads;
}

std::vector<Tracee> stop_threads(pid_t process, Deadline deadline) {
  std::vector<Tracee> stopped;
  std::set<pid_t> seen;
  // Until no thread has come that was made by one that did not stand still yet.
  for (bool is_new = true; is_new;) {
    is_new = false;
    std::vector<Tracee> threads;
    for (const pid_t tid : threads_of(process)) {
      // What a thread makes after it is seized, the kernel has us trace from its start.
      if (!seen.insert(tid).second || tracer_of(tid) == ::gettid()) continue;
      is_new = true;
      if (auto thread = Tracee::seize(tid)) threads.push_back(std::move(*thread));
    }
    std::vector<Tracee*> all;
    for (Tracee& thread : threads) all.push_back(&thread);
    Tracee::wait_until_stopped(std::move(all), deadline);
    std::ranges::move(threads, std::back_inserter(stopped));
  }
  std::erase_if(stopped, &Tracee::has_ended);
  return stopped;
}

}  // namespace still::memory
