#include "cgroup/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "os/files.h"

namespace still::cgroup {
namespace {

[[noreturn]] void rethrow(const Error& error, const std::string& file, std::string_view cgroup) {
  if (error.error_number() == ENOENT || error.error_number() == ENODEV) {
    throw cgroup_is_gone(cgroup);
  }
  throw error.in("cgroup " + std::string(cgroup) + ", " + file);
}

}  // namespace

void make_cgroup_directory(const std::filesystem::path& directory) {
  constexpr int kMostTries = 10;
  for (int tries = 1;; ++tries) {
    try {
      return make_directories(directory, 0755);
    } catch (const Error& error) {
      if (error.error_number() != ENOENT || tries == kMostTries) throw;
    }
  }
}

Error cgroup_is_gone(std::string_view cgroup) {
  return {ErrorKind::kNotFound, "the cgroup " + std::string(cgroup) + " no longer exists"};
}

std::string read_cgroup_file(const Fd& directory, const std::string& file,
                             std::string_view cgroup) try {
  return read_all(open_at(directory, file, O_RDONLY));
} catch (const Error& error) {
  rethrow(error, file, cgroup);
}

void write_cgroup_file(const Fd& directory, const std::string& file, std::string_view value,
                       std::string_view cgroup) try {
  const Fd fd = open_at(directory, file, O_WRONLY);
  if (::write(fd.get(), value.data(), value.size()) < 0) {
    throw Error::system(errno, "cannot write \"" + std::string(value) + "\"");
  }
} catch (const Error& error) {
  rethrow(error, file, cgroup);
}

std::optional<std::string> read_if_alive(const Fd& directory, const std::string& file) try {
  const auto fd = open_at_if_exists(directory, file, O_RDONLY);
  if (!fd) return std::nullopt;
  return read_all(*fd);
} catch (const Error& error) {
  const int number = error.error_number();
  if (number == ENODEV || number == ESRCH || number == EOPNOTSUPP) return std::nullopt;
  throw;
}

}  // namespace still::cgroup
