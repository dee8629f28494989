#include "engine/container/rootfs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ranges>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/mount.h"
#include "os/network_namespace.h"
#include "tree/copy.h"

namespace still::engine {
namespace {

void require_directory(const std::filesystem::path& path, const std::string& what) {
  if (std::filesystem::is_directory(path)) return;
  throw Error(ErrorKind::kNotFound, what + " " + printable(path.native()) + " is no directory");
}

// The root directory of the overlay is that of its upper layer: it looks like the one below.
void make_upper(const std::filesystem::path& upper, const std::filesystem::path& lower) {
  make_directory(upper, 0755);
  Metadata metadata = read_metadata(open_file(lower, O_PATH | O_DIRECTORY));
  std::erase_if(metadata.xattrs,
                [](const auto& entry) { return entry.first.starts_with(kOverlayXattrPrefix); });
  apply_metadata(open_file(upper, O_PATH | O_DIRECTORY), metadata);
}

// A new overlay work directory each time: what an interrupted mount left there is of no use.
void prepare_directories(const ContainerPaths& paths, const std::filesystem::path& top_layer) {
  if (!path_exists(paths.upper())) make_upper(paths.upper(), top_layer);
  for (const auto& directory : {paths.merged(), paths.shm()}) make_directory(directory, 0755);
  remove_tree(paths.work());
  make_directory(paths.work(), 0700);
}

void mount_shm(const ContainerPaths& paths, uint64_t size_bytes) {
  mount("shm", paths.shm(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
        formatted("mode=1777,size={}", size_bytes));
}

bool is_empty_directory(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) && std::filesystem::is_empty(path);
}

void fill_volume(const std::filesystem::path& data, const Fd& root,
                 const std::string& destination) {
  const auto source = open_in_root(root, destination, O_RDONLY | O_DIRECTORY);
  if (source) tree::copy_tree(*source, open_file(data, O_RDONLY | O_DIRECTORY));
}

}  // namespace

std::vector<std::filesystem::path> find_lower_layers(const journal::Host& host,
                                                     const ContainerConfig& config) {
  std::vector<std::filesystem::path> layers;
  if (!config.rootfs.empty()) {
    layers.emplace_back(config.rootfs);
  } else {
    const auto image = host.store.find_image(config.image_id);
    for (const std::string& diff_id : image.layers | std::views::reverse) {
      layers.push_back(host.layout.layer(diff_id));
    }
  }
  for (const auto& layer : layers) {
    require_directory(layer, config.rootfs.empty() ? "the image layer" : "the root file system");
  }
  return layers;
}

void mount_rootfs(const ContainerPaths& paths, const std::vector<std::filesystem::path>& lower,
                  const ContainerConfig& config) {
  prepare_directories(paths, lower.front());
  mount_overlay(lower, paths.upper(), paths.work(), paths.merged());
  try {
    mount_shm(paths, config.shm_size_bytes);
    if (config.network == "none") make_network_namespace(paths.network_namespace());
  } catch (...) {
    unmount_rootfs(paths);
    throw;
  }
}

// All there is: a crun that was killed during a restore leaves a mount of its own in the bundle,
// and the directory for it, which it would not take for the next one.
void unmount_rootfs(const ContainerPaths& paths) {
  unmount_below(paths.base);
  remove_tree(paths.bundle() / "criu-root");
}

void fill_new_volumes(const store::Layout& layout, const ContainerPaths& paths,
                      const ContainerConfig& config) {
  const Fd root = open_file(paths.merged(), O_RDONLY | O_DIRECTORY);
  for (const VolumeMount& mount : config.volumes) {
    const auto data = layout.volume_data(mount.volume);
    if (is_empty_directory(data)) fill_volume(data, root, mount.destination);
  }
}

std::optional<Fd> open_in_root(const Fd& root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    // EAGAIN: a rename elsewhere raced with the walk through "..", see openat2(2).
    if (errno != EAGAIN && errno != EINTR) {
      throw Error::system(errno, "cannot open " + printable(path) + " in the root file system");
    }
  }
}

}  // namespace still::engine
