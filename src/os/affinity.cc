#include "os/affinity.h"

#include <sched.h>
#include <unistd.h>

#include <array>

#include "base/text.h"

namespace still {
namespace {

constexpr unsigned kMostProcessors = 8192;  // of any Linux (CONFIG_NR_CPUS)
using Set = std::array<cpu_set_t, kMostProcessors / CPU_SETSIZE>;

std::optional<unsigned> parse_number(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 0 || *number >= kMostProcessors) return std::nullopt;
  return static_cast<unsigned>(*number);
}

}  // namespace

size_t online_processors() { return static_cast<size_t>(::sysconf(_SC_NPROCESSORS_ONLN)); }

std::optional<Processors> affinity_of(pid_t thread) {
  Set set{};
  if (::sched_getaffinity(thread, sizeof set, set.data()) != 0) return std::nullopt;
  Processors processors;
  for (unsigned i = 0; i < kMostProcessors; ++i) {
    if (CPU_ISSET_S(i, sizeof set, set.data())) processors.push_back(i);
  }
  return processors;
}

bool set_affinity(pid_t thread, const Processors& processors) {
  Set set{};
  for (const unsigned processor : processors) CPU_SET_S(processor, sizeof set, set.data());
  return ::sched_setaffinity(thread, sizeof set, set.data()) == 0;
}

std::string format_processors(const Processors& processors) {
  std::string list;
  for (size_t i = 0; i < processors.size(); ++i) {
    const size_t first = i;
    while (i + 1 < processors.size() && processors[i + 1] == processors[i] + 1) ++i;
    if (!list.empty()) list += ',';
    list += std::to_string(processors[first]);
    if (i > first) list += '-' + std::to_string(processors[i]);
  }
  return list;
}

std::optional<Processors> parse_processors(std::string_view list) {
  Processors processors;
  for (const std::string& range : split(list, ',')) {
    const size_t dash = range.find('-');
    const auto first = parse_number(std::string_view(range).substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : parse_number(std::string_view(range).substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    if (!processors.empty() && *first <= processors.back()) return std::nullopt;
    for (unsigned i = *first; i <= *last; ++i) processors.push_back(i);
  }
  return processors;
}

}  // namespace still
