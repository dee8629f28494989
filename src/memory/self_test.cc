#include "memory/self_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "criu/criu.h"
#include "criu/lazy_dump.h"
#include "criu/memory_images.h"
#include "criu/preloading.h"
#include "memory/copy_snapshot.h"
#include "memory/fork_copy.h"
#include "memory/merge.h"
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
  throw Error(ErrorKind::kRuntime, "CRIU failed: " + criu::explain_criu_log(images / "dump.log"));
}

// What the copy holds of a page, corrected.
std::string expected(const Copy& copy, uint64_t page) {
  const Bytes held = save(copy.child, page, criu::kPageSize);
  std::string bytes(reinterpret_cast<const char*>(held.bytes.data()), held.bytes.size());
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

// Not with the process itself, nor with the pages that CRIU has written: a few words change when it
// is interrupted and goes on (rseq(2), the rest of its sleep).
void compare(const Copy& copy, const std::filesystem::path& images,
             const std::vector<criu::PageRange>& by_criu) {
  const auto map = criu::read_page_map(images, copy.process);
  const std::string content = read_file(criu::pages_file(images, map.pages_id));
  std::string_view pages = content;
  for (const criu::PageRange& range : map.ranges) {
    for (uint64_t page = range.address; page < range.end(); page += criu::kPageSize) {
      const std::string_view there = pages.substr(0, criu::kPageSize);
      const bool present = (range.flags & criu::kPresent) != 0;
      if (!present || (!is_among(page, by_criu) && there != expected(copy, page))) {
        throw Error(ErrorKind::kRuntime, formatted("the page at {:#x} is not what it was", page));
      }
      pages.remove_prefix(there.size());
    }
  }
  if (!content.contains(known_content())) {
    throw Error(ErrorKind::kRuntime, "memory is missing in the images");
  }
}

void try_it(Skeleton skeleton, const std::filesystem::path& directory) {
  const TempDir work(directory, "memory-cut-");
  const auto images = work.path() / "images";
  make_directory(images, 0700);
  const Subject subject;
  const std::vector<pid_t> subjects = {subject.pid()};
  const bool has_parent = skeleton == Skeleton::kParentImage;
  const Command command = dump_command(subject.pid(), images, {.clean_memory = has_parent});
  if (skeleton == Skeleton::kParentImage) {
    const auto parent = work.path() / "parent";
    make_directory(parent, 0700);
    criu::write_complete_parent(parent, inner_pids(subjects));
    if (kernel_tracks_changes()) forget_changes(subject.pid());
    dump(with_parent_image(command), images);
  } else {
    dump(with_lazy_pages(command, work.path() / "criu.conf"), images);
  }
  ForkCopy copy;
  const Deadline deadline = deadline_in(kTimeout);
  copy.prepare(subjects);
  copy.hold(subjects, images);
  copy.take(deadline);
  copy.let_go();
  copy.keep(deadline);
  auto by_criu = criu::read_page_map(images, copy.copies().at(0).process).ranges;
  std::erase_if(by_criu, &criu::PageRange::is_missing);
  const auto totals = merge(images, snapshots_of(copy.copies()), [] {});
  if (totals.written_bytes == 0) {
    throw Error(ErrorKind::kRuntime, "CRIU writes the memory all the same");
  }
  compare(copy.copies().at(0), images, by_criu);
}

// Empty if it works.
std::string why_fails(Skeleton skeleton, const std::filesystem::path& directory) try {
  if (skeleton == Skeleton::kParentImage && criu::criu_preload().empty()) {
    return "the library for CRIU is not installed";
  }
  if (skeleton == Skeleton::kLazyPages && criu::lazy_pages_program().empty()) {
    return "still_lazy_pages is not installed";
  }
  try_it(skeleton, directory);
  return {};
} catch (const Error& error) {
  return "its self-test failed: " + error.message();
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

ForkCut try_all(const std::filesystem::path& directory) {
  ForkCut result;
  for (const Skeleton skeleton : kBestFirst) {
    const std::string reason = why_fails(skeleton, directory);
    if (reason.empty()) {
      result.skeleton = skeleton;
      break;
    }
    if (!result.reason.empty()) result.reason += "; ";
    result.reason += formatted("{}: {}", to_string(skeleton), reason);
  }
  return result;
}

// As text: the skeleton's name, or nothing; a line feed; the reason.
std::string format(const ForkCut& answer) {
  return (answer.skeleton ? to_string(*answer.skeleton) : "") + "\n" + answer.reason;
}

ForkCut parse(std::string_view text) {
  ForkCut answer;
  const size_t end = text.find('\n');
  for (const Skeleton skeleton : kBestFirst) {
    if (text.substr(0, end) == to_string(skeleton)) answer.skeleton = skeleton;
  }
  if (end != std::string_view::npos) answer.reason = text.substr(end + 1);
  return answer;
}

}  // namespace

std::string to_string(Skeleton skeleton) {
  return skeleton == Skeleton::kParentImage ? "parent-image" : "lazy-pages";
}

ForkCut find_fork_cut(const std::filesystem::path& directory) {
  const auto file = directory / "memory-cut";
  const std::string known = circumstances() + "\n\n";
  if (const auto answer = read_file_if_exists(file); answer && answer->starts_with(known)) {
    return parse(std::string_view(*answer).substr(known.size()));
  }
  const ForkCut found = try_all(directory);
  write_file_atomically(file, known + format(found), 0600);
  return found;
}

}  // namespace still::memory
