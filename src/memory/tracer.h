// The OS thread in which all of ptrace(2) happens.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace still::memory {

// The kernel knows threads as tracers, and lets go of all that one has traced, or kills what it is
// to kill, when it ends: so does this object's end, whatever state they are in.
class Tracer {
 public:
  Tracer() : thread_([this](const std::stop_token& stop) { serve(stop); }) {}
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() = default;

  // Has work run there; the future is ready when it is done, and has what it throws. One at a time.
  std::future<void> start(std::function<void()> work);
  void run(std::function<void()> work) { start(std::move(work)).get(); }

 private:
  void serve(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::packaged_task<void()> task_;  // invalid: none
  std::jthread thread_;              // the last member: it uses the others
};

}  // namespace still::memory
