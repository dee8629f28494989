#include "cut/memory.h"

#include "cut/by_fork.h"
#include "cut/by_protection.h"

namespace still::cut {
namespace {

// All is done by the runtime's checkpoint.
class CriuWay : public MemoryWay {};

}  // namespace

bool copies_shared_memory(const MemoryChoice& choice) {
  return on(
      choice, [](const ByCriu&) { return false; }, [](const ByFork&) { return false; },
      [](const ByProtection& by) { return by.skeleton == memory::Skeleton::kNoPages; });
}

std::string name_of(const MemoryChoice& choice) {
  return on(
      choice, [](const ByCriu&) { return "stock"; }, [](const ByFork&) { return "fork"; },
      [](const ByProtection&) { return "protect"; });
}

std::string words_for(const MemoryChoice& choice) {
  return on(
      choice, [](const ByCriu&) { return "CRIU"; }, [](const ByFork&) { return "forks"; },
      [](const ByProtection&) { return "write protection"; });
}

std::string why_by_criu(const MemoryChoice& choice) {
  return on(
      choice, [](const ByCriu& by) { return by.because; },
      [](const ByFork&) { return std::string(); },
      [](const ByProtection&) { return std::string(); });
}

std::unique_ptr<MemoryWay> MemoryWay::open(const MemoryChoice& choice,
                                           const subject::Subject& subject, StagingPlace place) {
  using Way = std::unique_ptr<MemoryWay>;
  return on(
      choice, [](const ByCriu&) -> Way { return std::make_unique<CriuWay>(); },
      [&](const ByFork& by) -> Way {
        return std::make_unique<ForkWay>(by.skeleton, subject, std::move(place));
      },
      [&](const ByProtection& by) -> Way {
        return std::make_unique<ProtectionWay>(by, subject, std::move(place));
      });
}

}  // namespace still::cut
