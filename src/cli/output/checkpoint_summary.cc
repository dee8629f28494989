#include "cli/output/checkpoint_summary.h"

#include "base/format.h"
#include "base/text.h"
#include "cli/output/standard_archive.h"

namespace still::cli {
namespace {

std::string place_of(const std::string& archive) {
  if (archive.empty()) return "in the store";
  return archive == kStandard ? "on standard output" : "in " + printable(archive);
}

std::string standstill(checkpoint::Freezing freezing, const cut::Cut& cut) {
  switch (freezing) {
    case checkpoint::Freezing::kFreeze:
      return "stood still for " + human_duration(cut.pause());
    case checkpoint::Freezing::kAlreadyFrozen:
      return "was paused and stays so";
    case checkpoint::Freezing::kNone:
      return "was not frozen";
    case checkpoint::Freezing::kNotNeeded:
      return "has ended";
  }
  return {};
}

}  // namespace

std::string checkpoint_summary(const checkpoint::Plan& plan,
                               const checkpoint::CheckpointResult& result,
                               const std::string& archive) {
  const std::string& name = plan.container_name;
  std::string line = formatted("{} {}", name, standstill(plan.freezing, result.cut));
  // The images of a default checkpoint belong to files that stay where they are: no certificate is
  // about those, only about an archive.
  if (plan.writes_archive) {
    line += formatted("; its checkpoint ({}) is {}, {}", human_size(result.archive_bytes),
                      place_of(archive),
                      result.consistent ? "certified consistent" : "NOT certified consistent");
  }
  if (result.stored_bytes > 0) {
    line +=
        formatted("; {}its memory ({}) is in the store: still restore {} brings it back",
                  plan.writes_archive ? "beside that " : "", human_size(result.stored_bytes), name);
  } else if (archive.empty()) {
    line += formatted("; once it has ended, still restore {} sets it back to this instant", name);
  }
  return line;
}

}  // namespace still::cli
