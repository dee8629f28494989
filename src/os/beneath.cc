#include "os/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

// Below PATH_MAX, with room for one more name.
constexpr size_t kPieceSize = 3800;

// Takes leading directories of path, at most kPieceSize bytes, from its front.
std::string take_piece(std::string_view& path) {
  size_t end = path.size();
  if (end > kPieceSize) {
    end = path.rfind('/', kPieceSize);
    if (end == std::string_view::npos) end = path.find('/');
  }
  const std::string piece(path.substr(0, end));
  path.remove_prefix(std::min(piece.size() + 1, path.size()));
  return piece;
}

// openat2(2) on one piece; nullopt if it is no directory.
std::optional<Fd> open_piece(const Fd& directory, const std::string& piece) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, directory.get(), piece.c_str(), &how, sizeof how);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  const int error_number = errno;
  if (error_number == ENOENT) return std::nullopt;
  if (error_number == ELOOP) {
    throw Error(ErrorKind::kCorrupt, "the path " + printable(piece) + " leads through a link");
  }
  if (error_number != ENOTDIR) throw Error::system(error_number, "cannot open " + printable(piece));
  // A final link that is not followed is ENOTDIR too.
  const auto [parent, name] = split_path(piece);
  const auto holder =
      parent.empty() ? open_at(directory, ".", O_PATH) : open_piece(directory, parent);
  const auto status = holder ? stat_at(*holder, name) : std::nullopt;
  if (status && S_ISLNK(status->st_mode)) {
    throw Error(ErrorKind::kCorrupt, "the path " + printable(piece) + " is a link");
  }
  return std::nullopt;
}

}  // namespace

bool is_plain_path(std::string_view path) {
  if (path.contains('\0')) return false;  // the kernel would see only what is before it
  return std::ranges::none_of(split(path, '/'), [](const std::string& part) {
    return part.empty() || part == "." || part == "..";
  });
}

PathParts split_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

bool lies_in(std::string_view path, const std::vector<std::string>& trees) {
  return std::ranges::any_of(trees, [&](const std::string& tree) {
    return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
  });
}

std::optional<Fd> open_directory_beneath(const Fd& root, const std::string& path) {
  std::optional<Fd> directory = open_at(root, ".", O_PATH | O_DIRECTORY);
  std::string_view rest = path;
  while (directory && !rest.empty()) directory = open_piece(*directory, take_piece(rest));
  return directory;
}

}  // namespace still
