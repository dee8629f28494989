#include "engine/image/layers.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "archive/sha256.h"
#include "archive/tree_tar.h"
#include "base/error.h"
#include "engine/image/implied_directories.h"
#include "engine/image/tar_source.h"
#include "engine/image/whiteouts.h"
#include "os/files.h"
#include "os/temp_dir.h"
#include "tree/copy.h"

namespace still::engine {
namespace {

constexpr const char* kUnfinishedPrefix = ".unfinished-";

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY);
}

// A stream that is hashed as it passes.
class HashedStream {
 public:
  explicit HashedStream(archive::Source source) : source_(std::move(source)) {}

  size_t read(char* buffer, size_t size) {
    const size_t got = source_(buffer, size);
    digest_.update({buffer, got});
    size_bytes_ += got;
    return got;
  }

  // Reads what nobody has read: padding at the end is part of the digest, too.
  Layer finish() {
    std::array<char, 65536> rest;
    while (read(rest.data(), rest.size()) > 0) {
    }
    return {.diff_id = digest_.finish(), .size_bytes = size_bytes_};
  }

 private:
  archive::Source source_;
  archive::Sha256 digest_;
  uint64_t size_bytes_ = 0;
};

// The directory gets its final name once all of it is on the disk.
void publish(const store::Layout& layout, TempDir unfinished, const std::string& diff_id) {
  const auto target = layout.layer(diff_id);
  if (path_exists(target)) return;
  if (::syncfs(open_directory(unfinished.path()).get()) != 0) {
    throw Error::system(errno, "cannot sync " + unfinished.path().native());
  }
  if (::rename(unfinished.path().c_str(), target.c_str()) != 0) {
    throw Error::system(errno, "cannot rename to " + target.native());
  }
  unfinished.keep();
  sync_directory(layout.layers());
}

void require_digest(const Layer& layer, const std::optional<std::string>& expected) {
  if (!expected || layer.diff_id == *expected) return;
  throw Error(ErrorKind::kCorrupt, "an image layer has the digest " + layer.diff_id +
                                       ", its configuration says " + *expected);
}

}  // namespace

Layer unpack_layer(const store::Layout& layout, const Fd& file,
                   const std::optional<std::string>& expected,
                   const std::vector<std::filesystem::path>& below) {
  if (expected && path_exists(layout.layer(*expected))) {
    const Layer layer = HashedStream(uncompressed(file)).finish();
    require_digest(layer, expected);
    return layer;
  }
  TempDir unfinished(layout.layers(), kUnfinishedPrefix);
  make_directory(unfinished.path(), 0755);
  const Fd root = open_directory(unfinished.path());
  const ImpliedDirectories implied(file, root, below);
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot rewind a layer");
  HashedStream stream(uncompressed(file));
  archive::extract_tree_tar([&](char* buffer, size_t size) { return stream.read(buffer, size); },
                            root, {.allow_devices = true});
  const Layer layer = stream.finish();
  require_digest(layer, expected);
  implied.finish();
  convert_whiteouts(root);
  publish(layout, std::move(unfinished), layer.diff_id);
  return layer;
}

Layer copy_layer(const store::Layout& layout, const Fd& directory) {
  TempDir unfinished(layout.layers(), kUnfinishedPrefix);
  const Fd root = open_directory(unfinished.path());
  tree::copy_tree(directory, root);
  archive::Sha256 digest;
  const auto totals =
      archive::write_tree_tar(root, {}, [&](std::string_view data) { digest.update(data); });
  const Layer layer{.diff_id = digest.finish(), .size_bytes = totals.size_bytes};
  publish(layout, std::move(unfinished), layer.diff_id);
  return layer;
}

void remove_unfinished_layers(const store::Layout& layout) {
  for (const auto& entry : std::filesystem::directory_iterator(layout.layers())) {
    if (entry.path().filename().native().starts_with(kUnfinishedPrefix)) remove_tree(entry.path());
  }
}

}  // namespace still::engine
