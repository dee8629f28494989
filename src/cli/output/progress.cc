#include "cli/output/progress.h"

#include <unistd.h>

#include <string>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"

namespace still::cli {
namespace {

constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

ProgressLine::ProgressLine() : on_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::step_started(cut::Step step) { show(formatted("{} ...", cut::to_string(step))); }

void ProgressLine::step_finished(cut::Step step, std::chrono::nanoseconds took) {
  debug(formatted("{} took {}", cut::to_string(step), human_duration(took)));
}

void ProgressLine::progress(cut::Step step, uint64_t done_bytes, uint64_t total_bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < kInterval) return;
  last_ = now;
  std::string text = formatted("{}: {}", cut::to_string(step), human_size(done_bytes));
  if (total_bytes > 0) text += formatted(" of about {}", human_size(total_bytes));
  show(text);
}

void ProgressLine::warning(const std::string& message) {
  clear();
  warn(message);
}

void ProgressLine::show(const std::string& text) {
  if (!on_terminal_) return;
  shown_ = true;
  const std::string line = "\r\x1b[K" + text;
  // Progress that cannot be shown is no reason to stop.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void ProgressLine::clear() {
  if (shown_) show("");
  shown_ = false;
}

}  // namespace still::cli
