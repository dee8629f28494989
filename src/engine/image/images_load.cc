#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/image/image_names.h"
#include "engine/image/images.h"
#include "engine/image/layers.h"
#include "engine/image/oci_layout.h"
#include "engine/image/tar_source.h"
#include "os/clock.h"
#include "os/content.h"
#include "os/files.h"
#include "os/process.h"
#include "os/temp_dir.h"
#include "store/lock.h"

namespace still::engine {
namespace {

using Json = nlohmann::json;

struct TarKind {
  bool is_oci = false;
  std::optional<Json> docker_manifest;  // of a docker-archive: an array, one object per image
};

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY);
}

// Standard input can be read only once, and skopeo wants a file.
std::filesystem::path find_source(const std::string& source, const TempDir& work) {
  if (source != "-") return std::filesystem::absolute(source);
  auto path = work.path() / "archive";
  spool_standard_input(path);
  return path;
}

// docker save has written both kinds into one file since Docker 25; its own one names all images.
TarKind look_into(const std::filesystem::path& path) {
  TarKind kind;
  visit_tar_members(open_file(path, O_RDONLY), [&](const std::string& name, const auto& content) {
    if (name == "index.json" || name == "./index.json") kind.is_oci = true;
    if (name == "manifest.json" || name == "./manifest.json") {
      kind.docker_manifest = Json::parse(content(), nullptr, false);
    }
    return !kind.docker_manifest;
  });
  return kind;
}

std::vector<std::string> docker_names(const Json& image) {
  std::vector<std::string> names;
  const auto tags = image.is_object() ? image.find("RepoTags") : image.end();
  if (tags == image.end() || !tags->is_array()) return names;
  for (const Json& tag : *tags) {
    if (tag.is_string()) names.push_back(full_docker_name(tag));
  }
  return names;
}

// The name of an OCI layout may be no more than a tag ("7.2").
std::vector<std::string> full_names(const std::vector<std::string>& annotated) {
  std::vector<std::string> names;
  for (const std::string& name : annotated) names.push_back(full_image_name(name));
  return names;
}

void copy_with_skopeo(const std::string& source, const std::filesystem::path& target) {
  run_checked({.arguments = {"skopeo", "copy", "--quiet", "--insecure-policy", source,
                             "oci:" + target.native() + ":image"}});
}

std::chrono::nanoseconds creation_time(const std::string& config_json) {
  const auto created = Json::parse(config_json, nullptr, false).value("created", "");
  std::istringstream text(created);
  std::chrono::sys_time<std::chrono::nanoseconds> moment;
  text >> std::chrono::parse("%FT%TZ", moment);
  return text.fail() ? Instant::now().wall : moment.time_since_epoch();
}

}  // namespace

std::vector<std::string> Images::load(const std::string& source) {
  const TempDir work(host_.layout.staging(), "load-");
  const auto path = find_source(source, work);
  if (std::filesystem::is_directory(path)) return load_layout(path, std::nullopt);
  const TarKind kind = look_into(path);
  if (kind.docker_manifest) return load_docker_archive(path, *kind.docker_manifest, work.path());
  if (kind.is_oci) return load_oci_archive(path, work.path());
  throw Error(ErrorKind::kUsage,
              printable(path.native()) + " is neither a docker-archive nor an OCI image layout",
              "a plain root file system is taken by: still image import");
}

std::vector<std::string> Images::load_docker_archive(const std::filesystem::path& path,
                                                     const nlohmann::json& manifest,
                                                     const std::filesystem::path& work) {
  if (!manifest.is_array() || manifest.empty()) {
    throw Error(ErrorKind::kCorrupt, "manifest.json of " + path.native() + " is no list of images");
  }
  std::vector<std::string> loaded;
  for (size_t i = 0; i < manifest.size(); ++i) {
    const auto layout = work / formatted("image-{}", i);
    copy_with_skopeo(formatted("docker-archive:{}:@{}", path.native(), i), layout);
    const auto names = load_layout(layout, docker_names(manifest[i]));
    loaded.insert(loaded.end(), names.begin(), names.end());
  }
  return loaded;
}

std::vector<std::string> Images::load_oci_archive(const std::filesystem::path& path,
                                                  const std::filesystem::path& work) {
  const auto layout = work / "layout";
  make_directory(layout, 0700);
  const Fd file = open_file(path, O_RDONLY);
  archive::extract_tree_tar(uncompressed(file), open_directory(layout), {});
  return load_layout(layout, std::nullopt);
}

std::vector<store::ImageRecord> Images::put_layout(
    const std::filesystem::path& layout, const std::optional<std::vector<std::string>>& names) {
  const Fd directory = open_directory(layout);
  const Fd lock = store::lock_shared_part(host_.layout, "images");
  remove_unfinished_layers(host_.layout);
  std::vector<store::ImageRecord> records;
  for (const OciImage& image : read_oci_layout(directory)) {
    records.push_back(unpack_image(directory, image, names.value_or(full_names(image.names))));
    put(records.back());
  }
  return records;
}

std::vector<std::string> Images::load_layout(const std::filesystem::path& layout,
                                             const std::optional<std::vector<std::string>>& names) {
  std::vector<std::string> loaded;
  for (const store::ImageRecord& record : put_layout(layout, names)) {
    const auto said = record.names.empty() ? std::vector{record.id} : record.names;
    loaded.insert(loaded.end(), said.begin(), said.end());
  }
  return loaded;
}

std::string Images::fetch(const std::string& source, const std::vector<std::string>& names) {
  const TempDir work(host_.layout.staging(), "load-");
  const auto layout = work.path() / "layout";
  copy_with_skopeo(source, layout);
  return put_layout(layout, names).front().id;
}

store::ImageRecord Images::unpack_image(const Fd& directory, const OciImage& image,
                                        std::vector<std::string> names) try {
  store::ImageRecord record{.id = image.id,
                            .names = std::move(names),
                            .layers = image.diff_ids,
                            .config_json = image.config_json,
                            .created_at = creation_time(image.config_json)};
  std::vector<std::filesystem::path> below;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const Fd blob = open_blob(directory, image.layers[i]);
    record.size_bytes += unpack_layer(host_.layout, blob, image.diff_ids[i], below).size_bytes;
    below.insert(below.begin(), host_.layout.layer(image.diff_ids[i]));
  }
  return record;
} catch (...) {
  remove_unused_layers(image.diff_ids);
  throw;
}

}  // namespace still::engine
