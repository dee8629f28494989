#include "engine/image/images.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "store/lock.h"

namespace still::engine {
namespace {

bool names_by_id(const store::ImageRecord& image, const std::string& reference) {
  return image.id.starts_with(reference) || "sha256:" + image.id == reference;
}

// Of those names, the one that the reference meant.
std::optional<std::string> name_meant(const store::ImageRecord& image,
                                      const std::string& reference) {
  for (const std::string& name : image.names) {
    if (name == reference || name.ends_with("/" + reference) || name == reference + ":latest" ||
        name.ends_with("/" + reference + ":latest")) {
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace

void Images::remove(const std::string& reference) {
  const Fd lock = store::lock_shared_part(host_.layout, "images");
  const auto image = host_.store.find_image(reference);
  const auto name = name_meant(image, reference);
  if (name && image.names.size() > 1) return host_.store.remove_image_name(*name);
  if (!name && image.names.size() > 1 && names_by_id(image, reference)) {
    throw Error(ErrorKind::kConflict,
                formatted("image {} has several names: {}", image.id.substr(0, 12),
                          join(image.names, ", ")),
                "remove it by its names");
  }
  host_.store.remove_image(image.id);
  remove_unused_layers(image.layers);
}

void Images::remove_unused_layers(const std::vector<std::string>& candidates) {
  std::set<std::string> used;
  for (const auto& image : host_.store.images()) {
    used.insert(image.layers.begin(), image.layers.end());
  }
  for (const std::string& layer : candidates) {
    if (!used.contains(layer)) remove_tree(host_.layout.layer(layer));
  }
}

}  // namespace still::engine
