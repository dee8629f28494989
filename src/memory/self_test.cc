#include "memory/self_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "criu/criu.h"
#include "criu/lazy_dump.h"
#include "criu/memory_images.h"
#include "criu/preloading.h"
#include "memory/copy_snapshot.h"
#include "memory/fork_copy.h"
#include "memory/merge.h"
#include "memory/precopy.h"
#include "memory/protection.h"
#include "memory/soft_dirty.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "os/temp_dir.h"

namespace still::memory {
namespace {

constexpr std::chrono::seconds kTimeout{10};

// Something to be found in memory: in the environment of the process.
std::string known_content() {
  constexpr size_t kLength = 3 * criu::kPageSize;
  std::string content;
  for (unsigned number = 0; content.size() < kLength; ++number) content += std::to_string(number);
  return content;
}

// A process that does nothing.
class Subject {
 public:
  Subject() : child_(start()) {}
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject() { child_.signal(SIGKILL); }

  pid_t pid() const { return child_.pid(); }

 private:
  static Child start() {
    const Fd out = open_file("/dev/null", O_WRONLY);
    const Fd errors = out.duplicate();
    Child child =
        Child::start({.arguments = {"setsid", "sleep", "60"},
                      .environment = {{"STILL_SELF_TEST", known_content()}},
                      .directory = {},
                      .descriptors = {{out.get(), STDOUT_FILENO}, {errors.get(), STDERR_FILENO}}});
    const Deadline deadline = deadline_in(kTimeout);
    while (!sleeps(child.pid())) {
      if (child.wait_until(deadline_in(std::chrono::milliseconds(1))) ||
          std::chrono::steady_clock::now() >= deadline) {
        throw Error(ErrorKind::kRuntime, "sleep does not run");
      }
    }
    return child;
  }
  static bool sleeps(pid_t pid) {
    const auto call = read_file_if_exists(formatted("/proc/{}/wchan", pid));
    return call && call->contains("nanosleep");
  }

  Child child_;
};

Command dump_command(pid_t pid, const std::filesystem::path& images,
                     const criu::PreloadSettings& settings = {}) {
  return {.arguments = {"criu", "dump", "--tree", std::to_string(pid), "--images-dir", images,
                        "--leave-running", "--manage-cgroups=ignore", "--log-file", "dump.log"},
          .environment = criu::preload_environment(settings)};
}

Command with_parent_image(Command command) {
  command.arguments.insert(command.arguments.end(),
                           {"--track-mem", "--prev-images-dir", "../parent"});
  return command;
}

// With a file, as in a checkpoint: not every path can be in one.
Command with_lazy_pages(Command command, const std::filesystem::path& configuration) {
  write_file_atomically(configuration, criu::criu_configuration(criu::lazy_pages_options()), 0600);
  command.environment["CRIU_CONFIG_FILE"] = configuration;
  return criu::without_network(std::move(command));
}

void dump(const Command& command, const std::filesystem::path& images) {
  if (run_command(command).status.ok()) return;
  throw Error(ErrorKind::kRuntime,
              "CRIU failed: " + criu::explain_criu_log(images / "dump.log").words);
}

std::string as_text(const Bytes& held) {
  return {reinterpret_cast<const char*>(held.bytes.data()), held.bytes.size()};
}

// What the copy holds of a page, corrected.
std::string expected(const Copy& copy, uint64_t page) {
  std::string bytes = as_text(save(copy.child, page, criu::kPageSize));
  for (const Bytes& correction : copy.corrections) {
    for (size_t i = 0; i < correction.bytes.size(); ++i) {
      const uint64_t place = correction.address + i - page;
      if (place < bytes.size()) bytes[place] = static_cast<char>(correction.bytes[i]);
    }
  }
  return bytes;
}

bool is_among(uint64_t page, const std::vector<criu::PageRange>& ranges) {
  return std::ranges::any_of(ranges, [page](const criu::PageRange& range) {
    return page >= range.address && page < range.end();
  });
}

using IsPage = std::function<bool(uint64_t page, std::string_view content)>;

// But for the pages that CRIU has written: a few words change when the process is interrupted and
// goes on (rseq(2), the rest of its sleep).
void compare(pid_t process, const std::filesystem::path& images,
             const std::vector<criu::PageRange>& by_criu, const IsPage& is_page) {
  const auto map = criu::read_page_map(images, process);
  const std::string content = read_file(criu::pages_file(images, map.pages_id));
  std::string_view pages = content;
  for (const criu::PageRange& range : map.ranges) {
    for (uint64_t page = range.address; page < range.end(); page += criu::kPageSize) {
      const std::string_view there = pages.substr(0, criu::kPageSize);
      const bool present = (range.flags & criu::kPresent) != 0;
      if (!present || (!is_among(page, by_criu) && !is_page(page, there))) {
        throw Error(ErrorKind::kRuntime, formatted("the page at {:#x} is not what it was", page));
      }
      pages.remove_prefix(there.size());
    }
  }
  if (!content.contains(known_content())) {
    throw Error(ErrorKind::kRuntime, "memory is missing in the images");
  }
}

// The dump of a process of ours whose memory is somewhere else.
class Trial {
 public:
  Trial(Skeleton skeleton, const std::filesystem::path& directory)
      : work_(directory, "memory-cut-"), images_(work_.path() / "images"), skeleton_(skeleton) {
    make_directory(images_, 0700);
  }

  const std::filesystem::path& directory() const { return work_.path(); }
  const std::filesystem::path& images() const { return images_; }
  std::vector<pid_t> subjects() const { return {subject_.pid()}; }

  void take_images() {
    const Command command = dump_command(subject_.pid(), images_,
                                         {.clean_memory = skeleton_ == Skeleton::kParentImage,
                                          .no_pages = skeleton_ == Skeleton::kNoPages});
    if (skeleton_ == Skeleton::kNoPages) return dump(command, images_);
    if (skeleton_ == Skeleton::kLazyPages) {
      return dump(with_lazy_pages(command, work_.path() / "criu.conf"), images_);
    }
    const auto parent = work_.path() / "parent";
    make_directory(parent, 0700);
    criu::write_complete_parent(parent, inner_pids(subjects()));
    if (kernel_tracks_changes()) forget_changes(subject_.pid());
    dump(with_parent_image(command), images_);
  }

  // is_page: whether a page is what it should be.
  void require_merged(const Snapshots& snapshots, const IsPage& is_page) const {
    const pid_t process = snapshots.at(0)->process();
    auto by_criu = criu::read_page_map(images_, process).ranges;
    std::erase_if(by_criu, &criu::PageRange::is_missing);
    const auto totals = merge(images_, snapshots, [] {});
    if (totals.written_bytes == 0) {
      throw Error(ErrorKind::kRuntime, "CRIU writes the memory all the same");
    }
    compare(process, images_, by_criu, is_page);
  }

 private:
  const TempDir work_;
  const std::filesystem::path images_;
  const Skeleton skeleton_;
  const Subject subject_;
};

void try_forks(Skeleton skeleton, const std::filesystem::path& directory) {
  Trial trial(skeleton, directory);
  trial.take_images();
  ForkCopy copy;
  const Deadline deadline = deadline_in(kTimeout);
  copy.prepare(trial.subjects());
  copy.hold(trial.subjects(), trial.images());
  copy.take(deadline);
  copy.let_go();
  copy.keep(deadline);
  trial.require_merged(snapshots_of(copy.copies()), [&](uint64_t page, std::string_view there) {
    return there == expected(copy.copies().at(0), page);
  });
}

void try_protection(Skeleton skeleton, const std::filesystem::path& directory) {
  Trial trial(skeleton, directory);
  const auto subjects = trial.subjects();
  Precopy precopy(trial.directory());
  precopy.start(subjects, [] {});
  precopy.catch_up([] {});
  precopy.begin_last(subjects);
  trial.take_images();
  if (!precopy.end_last().empty()) {
    throw Error(ErrorKind::kRuntime, "the process cannot be protected");
  }
  // What has changed since is known.
  const auto written = written_pages(subjects.front()).written;
  if (skeleton == Skeleton::kNoPages) precopy.list_pages(trial.images());
  trial.require_merged(precopy.snapshots({}), [&](uint64_t page, std::string_view there) {
    const bool has_changed = std::ranges::any_of(
        written, [page](const PageRun& run) { return page >= run.address && page < run.end(); });
    return has_changed || there == as_text(save(subjects.front(), page, criu::kPageSize));
  });
}

// Empty if it works. The answer is kept: that a busy machine did not stop a process in time is no
// answer.
std::string why_fails(const std::function<void()>& attempt) {
  constexpr int kAttempts = 3;
  std::string reason;
  for (int i = 0; i < kAttempts; ++i) {
    try {
      attempt();
      return {};
    } catch (const Error& error) {
      reason = "its self-test failed: " + error.message();
      log(LogLevel::kInfo, reason);
    }
  }
  return reason;
}

std::string why_fails(Skeleton skeleton, const std::filesystem::path& directory) {
  if (skeleton == Skeleton::kParentImage && criu::criu_preload().empty()) {
    return "the library for CRIU is not installed";
  }
  if (skeleton == Skeleton::kLazyPages && criu::lazy_pages_program().empty()) {
    return "still_lazy_pages is not installed";
  }
  return why_fails([&] { try_forks(skeleton, directory); });
}

// What the answer depends on.
std::string circumstances() {
  utsname kernel{};
  ::uname(&kernel);
  return join({boot_id(), kernel.release, kernel.version, criu::criu_version(),
               criu::criu_preload(), criu::lazy_pages_program()},
              "\n");
}

constexpr std::array kBestFirst = {Skeleton::kParentImage, Skeleton::kLazyPages};

MemoryCut try_all(const std::filesystem::path& directory) {
  MemoryCut result;
  for (const Skeleton skeleton : kBestFirst) {
    const std::string reason = why_fails(skeleton, directory);
    if (reason.empty()) {
      result.skeleton = skeleton;
      break;
    }
    if (!result.reason.empty()) result.reason += "; ";
    result.reason += formatted("{}: {}", to_string(skeleton), reason);
  }
  if (!result.skeleton) {
    result.protects_not_because = result.reason;
    return result;
  }
  const Skeleton skeleton =
      result.skeleton == Skeleton::kParentImage ? Skeleton::kNoPages : *result.skeleton;
  result.protects_not_because = why_fails([&] { try_protection(skeleton, directory); });
  if (result.protects_not_because.empty()) result.protection = skeleton;
  return result;
}

std::string name_of(std::optional<Skeleton> skeleton) {
  return skeleton ? to_string(*skeleton) : "";
}

std::optional<Skeleton> parse_skeleton(const std::string& name) {
  for (const Skeleton skeleton :
       {Skeleton::kParentImage, Skeleton::kNoPages, Skeleton::kLazyPages}) {
    if (name == to_string(skeleton)) return skeleton;
  }
  return std::nullopt;
}

// In lines, in the order of the members.
std::string format(const MemoryCut& answer) {
  return join({name_of(answer.skeleton), answer.reason, name_of(answer.protection),
               answer.protects_not_because},
              "\n");
}

MemoryCut parse(std::string_view text) {
  auto lines = split(text, '\n');
  lines.resize(4);
  return {.skeleton = parse_skeleton(lines[0]),
          .reason = lines[1],
          .protection = parse_skeleton(lines[2]),
          .protects_not_because = lines[3]};
}

}  // namespace

std::string to_string(Skeleton skeleton) {
  switch (skeleton) {
    case Skeleton::kParentImage:
      return "parent-image";
    case Skeleton::kNoPages:
      return "no-pages";
    case Skeleton::kLazyPages:
      return "lazy-pages";
  }
  return {};
}

MemoryCut find_memory_cut(const std::filesystem::path& directory) {
  const auto file = directory / "memory-cut";
  const std::string known = circumstances() + "\n\n";
  if (const auto answer = read_file_if_exists(file); answer && answer->starts_with(known)) {
    return parse(std::string_view(*answer).substr(known.size()));
  }
  const MemoryCut found = try_all(directory);
  write_file_atomically(file, known + format(found), 0600);
  return found;
}

}  // namespace still::memory
