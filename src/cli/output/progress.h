// Long work shown on standard error: one line that is rewritten, and only where a person sees it.
#pragma once

#include <chrono>

#include "cut/observer.h"

namespace still::cli {

class ProgressLine : public cut::Observer {
 public:
  ProgressLine();
  // Clears the line.
  ~ProgressLine() override;

  void step_started(cut::Step step) override;
  void step_finished(cut::Step step, std::chrono::nanoseconds took) override;
  void progress(cut::Step step, uint64_t done_bytes, uint64_t total_bytes) override;
  void warning(const std::string& message) override;

 private:
  void show(const std::string& text);
  void clear();

  const bool on_terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace still::cli
