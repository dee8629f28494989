#include "journal/undoers.h"

#include <ranges>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "os/clock.h"

namespace still::journal {

void Undoers::add(const std::string& kind, Lasts lasts, Reader reader) {
  if (!kinds_.emplace(kind, Kind{.lasts = lasts, .reader = std::move(reader)}).second) {
    throw std::logic_error("two kinds of step are called " + kind);
  }
}

const Undoers::Kind& Undoers::find(const Step& step) const {
  const auto found = kinds_.find(step.kind);
  if (found != kinds_.end()) return found->second;
  throw Error(ErrorKind::kUnsupported,
              "its step \"" + printable(step.kind) +
                  "\" is of a kind that only a newer version of still knows");
}

std::vector<std::string> Undoers::undo(const Host& host, const Entry& entry) const {
  const bool of_this_boot = entry.boot_id == boot_id();
  std::vector<std::pair<const Step*, Undo>> undos;
  for (const Step& step : entry.steps | std::views::reverse) {
    const Kind& kind = find(step);
    Undo undo = kind.reader(step);
    if (of_this_boot || kind.lasts == Lasts::kForEver) undos.emplace_back(&step, std::move(undo));
  }
  std::vector<std::string> done;
  for (const auto& [step, undo] : undos) {
    auto words = undo({.host = host, .entry = entry, .step = *step, .of_this_boot = of_this_boot});
    if (words) done.push_back(*std::move(words));
  }
  return done;
}

}  // namespace still::journal
