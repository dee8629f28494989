#include <fcntl.h>

#include "archive/sha256.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/image/image_config.h"
#include "engine/image/image_names.h"
#include "engine/image/images.h"
#include "engine/image/layers.h"
#include "engine/image/tar_source.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/temp_dir.h"
#include "store/lock.h"

namespace still::engine {
namespace {

constexpr std::chrono::nanoseconds kNoTime{0};

Fd open_source(const std::string& source, const TempDir& work) {
  if (source == "-") return spool_standard_input(work.path() / "archive");
  return open_file(source, O_RDONLY);
}

ImageConfig apply_changes(const std::vector<std::string>& changes) {
  ImageConfig config;
  for (const std::string& change : changes) apply_change(config, change);
  return config;
}

Layer make_layer(const store::Layout& layout, const Fd& source, const std::string& name) try {
  if (S_ISDIR(stat_fd(source).st_mode)) return copy_layer(layout, source);
  return unpack_layer(layout, source, std::nullopt, {});
} catch (const Error& error) {
  throw error.in("cannot import " + printable(name));
}

std::string digest_of(std::string_view text) {
  archive::Sha256 digest;
  digest.update(text);
  return digest.finish();
}

}  // namespace

std::string Images::import(const std::string& source, const std::string& name,
                           const std::vector<std::string>& changes) {
  const ImageConfig config = apply_changes(changes);
  store::ImageRecord image;
  if (!name.empty()) image.names = {full_image_name(name)};
  const TempDir work(host_.layout.staging(), "import-");
  const Fd file = open_source(source, work);
  const Fd lock = store::lock_shared_part(host_.layout, "images");
  remove_unfinished_layers(host_.layout);
  const Layer layer = make_layer(host_.layout, file, source);
  image.created_at = Instant::now().wall;
  image.layers = {layer.diff_id};
  image.size_bytes = layer.size_bytes;
  // The same for equal content, and so is the id, which is its digest.
  image.config_json = build_image_config(config, image.layers, rfc3339(kNoTime));
  image.id = digest_of(image.config_json);
  put(image);
  return image.id;
}

// Layers without an image are nobody's.
void Images::put(const store::ImageRecord& image) try {
  host_.store.put_image(image);
} catch (...) {
  remove_unused_layers(image.layers);
  throw;
}

}  // namespace still::engine
