#include "cut/memory.h"

#include "cut/by_fork.h"

namespace still::cut {
namespace {

// All is done by the runtime's checkpoint.
class CriuWay : public MemoryWay {};

}  // namespace

std::string name_of(const MemoryChoice& choice) {
  return on(choice, [](const ByCriu&) { return "stock"; }, [](const ByFork&) { return "fork"; });
}

std::string why_by_criu(const MemoryChoice& choice) {
  return on(
      choice, [](const ByCriu& by) { return by.because; },
      [](const ByFork&) { return std::string(); });
}

std::unique_ptr<MemoryWay> MemoryWay::open(const MemoryChoice& choice,
                                           const subject::Subject& subject, StagingPlace place) {
  using Way = std::unique_ptr<MemoryWay>;
  return on(
      choice, [](const ByCriu&) -> Way { return std::make_unique<CriuWay>(); },
      [&](const ByFork& by) -> Way {
        return std::make_unique<ForkWay>(by.skeleton, subject, std::move(place));
      });
}

}  // namespace still::cut
