#include "store/layout.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "os/files.h"

namespace still::store {
namespace {

constexpr const char* kDefaultRoot = "/var/lib/still";
constexpr const char* kDefaultRunroot = "/run/still";

std::optional<std::string> given(const std::optional<std::string>& argument, const char* variable) {
  if (argument && !argument->empty()) return argument;
  const char* value = ::getenv(variable);
  if (value != nullptr && *value != '\0') return value;
  return std::nullopt;
}

std::filesystem::path normalized(const std::string& path) {
  auto result = std::filesystem::absolute(path).lexically_normal();
  return result.has_filename() || result == result.root_path() ? result : result.parent_path();
}

// What Still itself makes in a root or a runroot, and what a new file system has.
constexpr std::array<std::string_view, 14> kOwnNames = {
    "still.db", "still.db-wal", "still.db-shm", "containers", "volumes",
    "layers",   "staging",      "failures",     "run",        "locks",
    "exits",    "runtime",      "memory-cut",   "lost+found"};

bool holds_only_our_own(const std::filesystem::path& directory) {
  return std::ranges::all_of(std::filesystem::directory_iterator(directory), [](const auto& entry) {
    return std::ranges::contains(kOwnNames, entry.path().filename().native());
  });
}

void close_to_others(const std::filesystem::path& path) {
  const Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
  const bool is_closed = (stat_fd(directory).st_mode & 0077) == 0;
  if (is_closed || ::fchmod(directory.get(), 0700) == 0) return;
  throw Error::system(errno, "cannot close " + path.native() + " to other users");
}

// A root or runroot that holds other things, too, may be one that the machine needs open, like
// /srv: it stays as it is, and what is Still's in it is closed.
void make_closed(const std::filesystem::path& path) {
  make_directories(path.parent_path(), 0711);
  make_directory(path, 0700);
  if (holds_only_our_own(path)) close_to_others(path);
}

}  // namespace

Layout Layout::resolve(const std::optional<std::string>& root,
                       const std::optional<std::string>& runroot) {
  Layout layout;
  layout.root = normalized(given(root, "STILL_ROOT").value_or(kDefaultRoot));
  const auto run = given(runroot, "STILL_RUNROOT");
  if (run) {
    layout.runroot = normalized(*run);
  } else {
    layout.runroot = layout.root == kDefaultRoot ? kDefaultRunroot : layout.root / "run";
  }
  return layout;
}

std::string Layout::distinction() const {
  if (root == kDefaultRoot) return {};
  // A path alone can mean several directories, in one mount namespace after the other or at once.
  const struct stat status = stat_fd(open_file(root, O_RDONLY | O_DIRECTORY));
  const std::string words = formatted("{} {} {}", root.native(), status.st_dev, status.st_ino);
  return formatted("{:08x}", static_cast<uint32_t>(std::hash<std::string>()(words)));
}

void Layout::create() const {
  make_closed(root);
  make_closed(runroot);
  for (const auto& directory : {containers(), volumes(), layers(), staging(), locks(), exits(),
                                runroot / "containers", runroot / "runtime"}) {
    make_directory(directory, 0700);
    close_to_others(directory);
  }
}

}  // namespace still::store
