#include "engine/container/etc_files.h"

#include <fcntl.h>

#include "os/files.h"

namespace still::engine {
namespace {

// Not atomically: a running container's bind mount holds the file itself, not its name.
void write_etc_file(const std::filesystem::path& path, const std::string& content) {
  write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), content);
}

std::string hosts(bool host_network, const std::string& hostname, const std::string& name) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (host_network) text = read_file_if_exists("/etc/hosts").value_or(text);
  if (!text.ends_with('\n')) text += '\n';
  return text + "127.0.1.1\t" + hostname + " " + name + "\n";
}

}  // namespace

void write_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                     const std::string& hostname, const std::string& name) {
  const bool host_network = config.network == "host";
  make_directory(paths.etc(), 0755);
  write_etc_file(paths.etc() / "hosts", hosts(host_network, hostname, name));
  write_etc_file(paths.etc() / "hostname", hostname + "\n");
  const auto resolver = host_network ? read_file_if_exists("/etc/resolv.conf") : std::nullopt;
  write_etc_file(paths.etc() / "resolv.conf", resolver.value_or(""));
}

}  // namespace still::engine
