#include "criu/affinity.h"

#include <fcntl.h>

#include <functional>

#include "base/format.h"
#include "base/text.h"
#include "criu/installation.h"
#include "os/files.h"
#include "os/tasks.h"

namespace still::criu {
namespace {

// More than any container has: 4 million threads are the kernel's limit, and each is a line.
constexpr uint64_t kMostBytes = uint64_t{64} << 20;

// Numbers threads as the namespace of init does.
class Numbering {
 public:
  explicit Numbering(pid_t init) : level_(numbers_of(init).size()) {}

  // 0: there is no such thread any more.
  pid_t of(pid_t thread) const {
    const auto numbers = numbers_of(thread);
    return level_ == 0 || numbers.size() < level_ ? 0 : numbers[level_ - 1];
  }

 private:
  const size_t level_;
};

size_t count_where_not(const Affinities& affinities, pid_t init,
                       const std::function<bool(pid_t thread, const Processors& wanted)>& is_so) {
  const Numbering numbering(init);
  size_t count = 0;
  std::vector<pid_t> processes = {init};
  while (!processes.empty()) {
    const pid_t process = processes.back();
    processes.pop_back();
    for (const pid_t thread : threads_of(process)) {
      const auto wanted = affinities.find(numbering.of(thread));
      if (wanted != affinities.end() && !is_so(thread, wanted->second)) ++count;
    }
    const auto children = children_of(process);
    processes.insert(processes.end(), children.begin(), children.end());
  }
  return count;
}

}  // namespace

Affinities read_affinities(const std::vector<pid_t>& processes, pid_t init) {
  const size_t online = online_processors();
  const Numbering numbering(init);
  Affinities affinities;
  for (const pid_t process : processes) {
    for (const pid_t thread : threads_of(process)) {
      auto own = affinity_of(thread);
      if (!own || own->size() >= online) continue;
      if (const pid_t number = numbering.of(thread)) affinities.emplace(number, std::move(*own));
    }
  }
  return affinities;
}

void write_affinities(const std::filesystem::path& images, const Affinities& affinities) {
  if (affinities.empty()) return;
  std::string text;
  for (const auto& [thread, processors] : affinities) {
    text += formatted("{} {}\n", thread, format_processors(processors));
  }
  write_file_atomically(images / kAffinityFile, text, 0600);
}

Affinities stored_affinities(const std::filesystem::path& images) {
  const auto file = open_if_exists(images / kAffinityFile, O_RDONLY | O_NOFOLLOW);
  if (!file || static_cast<uint64_t>(stat_fd(*file).st_size) > kMostBytes) return {};
  Affinities affinities;
  for (const std::string& line : split(read_all(*file), '\n')) {
    const auto words = split(line, ' ');
    if (words.size() != 2) continue;
    const auto thread = parse_integer(words[0]);
    auto processors = parse_processors(words[1]);
    if (thread && processors) affinities.emplace(static_cast<pid_t>(*thread), *processors);
  }
  return affinities;
}

std::map<std::string, std::string> affinity_options(const std::filesystem::path& images) {
  const auto program = find_installed("still_set_affinity");
  if (program.empty() || !path_exists(images / kAffinityFile)) return {};
  return {{"action-script", program}};
}

size_t set_affinities(const Affinities& affinities, pid_t init) {
  return count_where_not(affinities, init, set_affinity);
}

size_t count_misplaced(const Affinities& affinities, pid_t init) {
  return count_where_not(affinities, init, [](pid_t thread, const Processors& wanted) {
    const auto own = affinity_of(thread);
    return !own || *own == wanted;
  });
}

}  // namespace still::criu
