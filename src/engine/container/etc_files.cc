#include "engine/container/etc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/error.h"
#include "os/atomic_file.h"
#include "os/files.h"

namespace still::engine {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0644;

fs::path written(const ContainerPaths& paths) { return paths.etc() / "written"; }

std::string names_line(const std::string& hostname, const std::string& name) {
  return "127.0.1.1\t" + hostname + " " + name + "\n";
}

// The last line of what hosts() has made.
std::string names_line_of(const std::string& hosts) {
  const size_t end_before =
      hosts.size() < 2 ? std::string::npos : hosts.rfind('\n', hosts.size() - 2);
  return end_before == std::string::npos ? hosts : hosts.substr(end_before + 1);
}

std::string hosts(bool host_network, const std::string& hostname, const std::string& name) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (host_network) text = read_file_if_exists("/etc/hosts").value_or(text);
  if (!text.ends_with('\n')) text += '\n';
  return text + names_line(hostname, name);
}

std::string content_of(const std::string& file, const ContainerConfig& config,
                       const std::string& hostname, const std::string& name) {
  const bool host_network = config.network == "host";
  if (file == "hosts") return hosts(host_network, hostname, name);
  if (file == "hostname") return hostname + "\n";
  return (host_network ? read_file_if_exists("/etc/resolv.conf") : std::nullopt).value_or("");
}

// Owner and mode of a file that is there stay.
void write_etc_file(const fs::path& path, const std::string& content) {
  const auto before = open_if_exists(path, O_RDONLY);
  if (!before) return write_file_atomically(path, content, kMode);
  const struct stat status = stat_fd(*before);
  AtomicFile file(path, status.st_mode & 07777);
  if (::fchown(file.fd().get(), status.st_uid, status.st_gid) != 0) {
    throw Error::system(errno, "cannot give " + path.native() + " its owner");
  }
  write_all(file.fd(), content);
  file.commit();
}

// nullopt: nothing of it is the engine's any more.
std::optional<std::string> renewed(const std::string& current, const std::string& before,
                                   const std::string& fresh, bool has_names) {
  if (current == before) return fresh;
  if (!has_names) return std::nullopt;
  const std::string line = names_line_of(before);
  const size_t place = ("\n" + current).find("\n" + line);
  if (line.empty() || place == std::string::npos) return std::nullopt;
  std::string text = current;
  return text.replace(place, line.size(), names_line_of(fresh));
}

bool is_open(const std::set<std::string>& open, const std::string& file) {
  // The directory may be reached through a link.
  return std::ranges::any_of(
      open, [&](const std::string& path) { return path.ends_with("/etc/" + file); });
}

}  // namespace

void make_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                    const std::string& hostname, const std::string& name) {
  make_directory(paths.etc(), 0755);
  make_directory(written(paths), 0755);
  for (const char* file : kEtcFiles) {
    if (path_exists(paths.etc() / file)) continue;
    const std::string content = content_of(file, config, hostname, name);
    write_etc_file(written(paths) / file, content);
    write_etc_file(paths.etc() / file, content);
  }
}

void renew_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                     const std::string& hostname, const std::string& name,
                     const std::set<std::string>& open) {
  make_etc_files(paths, config, hostname, name);
  for (const std::string file : kEtcFiles) {
    const auto before = read_file_if_exists(written(paths) / file);
    const std::string fresh = content_of(file, config, hostname, name);
    if (!before || *before == fresh || is_open(open, file)) continue;
    const std::string current = read_file(paths.etc() / file);
    const auto content = renewed(current, *before, fresh, file == "hosts");
    if (content && *content != current) write_etc_file(paths.etc() / file, *content);
    write_etc_file(written(paths) / file, fresh);
  }
}

}  // namespace still::engine
