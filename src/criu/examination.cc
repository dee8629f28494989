#include "criu/examination.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/format.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu/numbers.h"
#include "os/files.h"
#include "os/limits.h"

namespace still::criu {
namespace {

// A process with its own table of descriptors, or one that it shares.
struct Task {
  uint32_t pid = 0;
  std::string name;
  std::map<uint32_t, uint32_t> descriptors;  // files by number
  std::optional<uint32_t> program;           // a file

  std::string words() const { return formatted("{} ({})", pid, printable(name)); }
};

using Files = std::map<uint32_t, messages::File>;

template <typename Message>
std::vector<Message> read_all_of(const std::filesystem::path& file, const ImageKind& kind) {
  const std::string content = read_file(file);
  std::vector<Message> messages;
  for (const std::string_view entry : image_entries(content, kind)) {
    messages.push_back(parse_entry<Message>(entry, file));
  }
  return messages;
}

std::filesystem::path of(const std::filesystem::path& images, const char* kind, uint32_t number) {
  return images / formatted("{}-{}.img", kind, number);
}

// nullopt: it has ended, and nobody has waited for it yet.
std::optional<Task> read_task(const std::filesystem::path& images, uint32_t pid) {
  const auto core = read_single<messages::Core>(of(images, "core", pid), kCoreImage);
  if (core.process().state() == kDead || core.process().state() == kZombie) return std::nullopt;
  Task task{.pid = pid, .name = core.process().name()};
  const auto ids = of(images, "ids", pid);
  const uint32_t table = core.has_namespaces()
                             ? core.namespaces().files()
                             : read_single<messages::Namespaces>(ids, kIdsImage).files();
  const auto descriptors = of(images, "fdinfo", table);
  for (const auto& one : read_all_of<messages::Descriptor>(descriptors, kDescriptorsImage)) {
    task.descriptors[one.number()] = one.file();
  }
  const auto mm = read_single<messages::Mm>(of(images, "mm", pid), kMmImage);
  if (mm.has_program()) task.program = mm.program();
  return task;
}

// CRIU restores what several processes have open in the first of them.
std::vector<Task> read_tasks(const std::filesystem::path& images) {
  std::vector<Task> tasks;
  for (const auto& entry : read_all_of<messages::Tree>(images / "pstree.img", kTreeImage)) {
    if (auto task = read_task(images, entry.pid())) tasks.push_back(std::move(*task));
  }
  std::ranges::sort(tasks, {}, &Task::pid);
  return tasks;
}

void look_at_program(const Task& task, const Files& files, std::vector<std::string>& found) {
  if (!task.program) return;
  const auto program = files.find(*task.program);
  if (program != files.end() && program->second.type() == kRegular) return;
  found.push_back("task " + task.words() + " runs a program that no file system holds (memfd)");
}

// A set has files by the descriptors that they were added with. Where one of those is closed and
// the file still open, CRIU's image has another of its descriptors, which may be in the set, too.
void look_at_epoll(const Task& task, const messages::Epoll& epoll,
                   std::vector<std::string>& found) {
  std::set<uint32_t> numbers;
  for (const messages::EpollTarget& target : epoll.targets()) {
    const uint32_t number = target.descriptor();
    if (task.descriptors.contains(number) && numbers.insert(number).second) continue;
    found.push_back(
        formatted("an epoll set of task {} has the file of its descriptor {} by one "
                  "that is closed",
                  task.words(), number));
    return;  // one of a set says enough
  }
}

// Where CRIU has found no path it notes what stands for the file in its file system, which is not
// there in a copy, or is the original's.
void look_at_watches(const Task& task, const messages::Inotify& inotify,
                     std::vector<std::string>& found) {
  const bool has_all_paths = std::ranges::all_of(
      inotify.watches(), [](const messages::Watch& watch) { return watch.file().has_path(); });
  if (has_all_paths) return;
  found.push_back("task " + task.words() +
                  " watches a file (inotify) whose path in the container CRIU did not find");
}

void look_at_descriptors(const Task& task, const Files& files, std::set<uint32_t>& seen,
                         std::vector<std::string>& found) {
  for (const auto& [number, id] : task.descriptors) {
    const auto file = files.find(id);
    if (file == files.end()) {
      found.push_back(
          formatted("CRIU left out what descriptor {} of task {} is", number, task.words()));
    } else if (file->second.has_epoll() && seen.insert(id).second) {
      look_at_epoll(task, file->second.epoll(), found);
    } else if (file->second.has_inotify() && seen.insert(id).second) {
      look_at_watches(task, file->second.inotify(), found);
    }
  }
}

// CRIU keeps descriptors of its own above those of a task while it restores it, and finds no place
// for them where a task has one just below the most that CRIU may have (choose_service_fd_base() in
// criu/servicefd.c).
void look_at_highest_descriptor(const Task& task, uint64_t limit, std::vector<std::string>& found) {
  constexpr uint64_t kOwn = 32;       // those and some room
  constexpr uint64_t kAligned = 128;  // a power of two of it
  if (task.descriptors.empty()) return;
  const uint64_t highest = task.descriptors.rbegin()->first;
  if (highest + kOwn <= limit / kAligned * kAligned) return;
  found.push_back(formatted("task {} has the descriptor {}, and CRIU may have no more than {}",
                            task.words(), highest, limit));
}

}  // namespace

std::vector<std::string> find_unrestorable(const std::filesystem::path& images) {
  Files files;
  for (auto& file : read_all_of<messages::File>(images / "files.img", kFilesImage)) {
    const uint32_t id = file.id();
    files.emplace(id, std::move(file));
  }
  std::vector<std::string> found;
  std::set<uint32_t> seen;
  for (const Task& task : read_tasks(images)) {
    look_at_program(task, files, found);
    look_at_descriptors(task, files, seen, found);
    look_at_highest_descriptor(task, most_descriptors(), found);
  }
  return found;
}

}  // namespace still::criu
