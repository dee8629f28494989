#include "checkpoint/memory_choice.h"

#include <algorithm>

#include "base/format.h"
#include "base/hooks.h"
#include "base/text.h"
#include "memory/ordinary.h"
#include "os/user_room.h"

namespace still::checkpoint {
namespace {

// Forks take 5 to 10 ms of any container; CRIU writes less than this in that time.
constexpr uint64_t kLittleMemory = uint64_t{24} << 20;

// Copies may take one in so many of the places that a limit of processes leaves.
constexpr uint64_t kShareOfCopies = 4;

// Whatever the machine can do; empty: nothing.
std::string why_by_criu(const Plan& plan, const std::vector<pid_t>& processes) {
  if (!plan.options.leave_running) return "CRIU ends the container";
  if (plan.options.memory_cut == MemoryWish::kStock) return "asked for";
  if (plan.freezing == Freezing::kAlreadyFrozen) return "the container is paused";
  if (plan.freezing == Freezing::kNone || hooks::freeze_is_off()) return "it cannot be frozen";
  if (auto reason = memory::why_not_ordinary(processes); !reason.empty()) return reason;
  if (plan.options.memory_cut == MemoryWish::kAuto && plan.memory_bytes < kLittleMemory) {
    return formatted("it has no more than {}, which takes no longer", human_size(kLittleMemory));
  }
  return {};
}

// Why it cannot bear copies of its processes; empty: it can.
std::string why_no_forks(const subject::Subject& subject, const Plan& plan,
                         const std::vector<pid_t>& processes) {
  const auto room = subject::room_of(subject);
  // The copies are counted while they live, and what is left is the container's.
  const uint64_t places = std::min(room.processes, user_room(processes));
  if (places / kShareOfCopies < processes.size()) {
    return formatted("its limit of processes leaves room for {}, and it has {}", places,
                     processes.size());
  }
  if (room.ends_as_a_whole) return "it is ended as a whole when memory is short (memory.oom.group)";
  if (room.memory_bytes < plan.options.memory_headroom_bytes) {
    return formatted("its limit of memory leaves {}, less than --memory-headroom ({})",
                     human_size(room.memory_bytes), human_size(plan.options.memory_headroom_bytes));
  }
  return {};
}

}  // namespace

cut::MemoryChoice choose_memory(const subject::Subject& subject, const Plan& plan,
                                const std::filesystem::path& answers) {
  const auto processes = subject::divided_processes_of(subject).tree;
  if (auto because = why_by_criu(plan, processes); !because.empty()) {
    return cut::ByCriu{std::move(because)};
  }
  const auto answer = memory::find_memory_cut(answers);
  if (!answer.skeleton) return cut::ByCriu{answer.reason};
  if (answer.skeleton == memory::Skeleton::kLazyPages && subject.has_host_network) {
    return cut::ByCriu{"its network is the host's, where others could ask CRIU for its memory; " +
                       answer.reason};
  }
  const std::string no_forks = why_no_forks(subject, plan, processes);
  if (answer.protection && plan.options.memory_cut != MemoryWish::kFork) {
    return cut::ByProtection{.skeleton = *answer.protection, .no_forks_because = no_forks};
  }
  if (!no_forks.empty()) return cut::ByCriu{no_forks};
  if (plan.options.memory_cut == MemoryWish::kProtect) {
    return cut::ByCriu{answer.protects_not_because};
  }
  return cut::ByFork{*answer.skeleton};
}

}  // namespace still::checkpoint
