#include "engine/image/oci_layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "archive/sha256.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/image/image_config.h"
#include "os/files.h"

namespace still::engine {
namespace {

using Json = nlohmann::json;

// Manifests and configurations; layers may have any size.
constexpr off_t kLargestDocument = off_t{16} << 20;
// An index may name indexes. Nobody nests them deeper than this.
constexpr int kDeepestIndex = 4;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCorrupt, "the OCI layout is damaged: " + what);
}

Json parse(const std::string& text, const std::string& what) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) refuse(what + " is no JSON object");
  return json;
}

std::string read_document(const Fd& file) {
  const struct stat status = stat_fd(file);
  if (!S_ISREG(status.st_mode) || status.st_size > kLargestDocument) {
    refuse("a document is no ordinary file, or too large");
  }
  return read_all(file);
}

const Json& list_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) refuse(std::string(key) + " is missing");
  return *found;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string parse_digest(const std::string& digest) {
  constexpr std::string_view kPrefix = "sha256:";
  const std::string digits = digest.starts_with(kPrefix) ? digest.substr(kPrefix.size()) : "";
  if (digits.size() != 64 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    refuse("\"" + printable(digest) + "\" is no SHA-256 digest");
  }
  return digits;
}

OciBlob parse_descriptor(const Json& descriptor) {
  const auto size = descriptor.is_object() ? descriptor.find("size") : descriptor.end();
  if (size == descriptor.end() || !size->is_number_unsigned()) refuse("a size is missing");
  return {.sha256 = parse_digest(text_of(descriptor, "digest")),
          .size_bytes = size->get<uint64_t>()};
}

std::string read_blob(const Fd& directory, const OciBlob& blob) {
  return read_document(open_blob(directory, blob));
}

bool fits_this_machine(const Json& descriptor) {
  const auto platform = descriptor.find("platform");
  if (platform == descriptor.end()) return true;
  return text_of(*platform, "os") == "linux" &&
         text_of(*platform, "architecture") == oci_architecture();
}

std::vector<std::string> names_of(const Json& descriptor) {
  const auto annotations = descriptor.find("annotations");
  if (annotations == descriptor.end()) return {};
  for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    if (auto name = text_of(*annotations, key); !name.empty()) return {std::move(name)};
  }
  return {};
}

std::vector<std::string> diff_ids_of(const Json& config) {
  const auto rootfs = config.find("rootfs");
  if (rootfs == config.end()) refuse("the configuration has no rootfs");
  std::vector<std::string> diff_ids;
  for (const Json& diff_id : list_of(*rootfs, "diff_ids")) {
    if (!diff_id.is_string()) refuse("a diff id is no text");
    diff_ids.push_back(parse_digest(diff_id));
  }
  return diff_ids;
}

OciImage parse_manifest(const Fd& directory, const Json& manifest, std::vector<std::string> names) {
  const auto config = manifest.find("config");
  if (config == manifest.end()) refuse("a manifest has no config");
  const OciBlob config_blob = parse_descriptor(*config);
  OciImage image{.id = config_blob.sha256,
                 .config_json = read_blob(directory, config_blob),
                 .layers = {},
                 .diff_ids = {},
                 .names = std::move(names)};
  image.diff_ids = diff_ids_of(parse(image.config_json, "the configuration"));
  for (const Json& layer : list_of(manifest, "layers")) {
    image.layers.push_back(parse_descriptor(layer));
  }
  if (image.layers.size() != image.diff_ids.size() || image.layers.empty()) {
    refuse("the configuration and the manifest differ in the number of layers");
  }
  return image;
}

void read_index(const Fd& directory, const Json& index, int depth, std::vector<std::string> names,
                std::vector<OciImage>& images) {
  if (depth > kDeepestIndex) refuse("indexes are nested too deep");
  for (const Json& descriptor : list_of(index, "manifests")) {
    if (!descriptor.is_object()) refuse("a manifest's descriptor is no object");
    if (!fits_this_machine(descriptor)) continue;
    auto own_names = names_of(descriptor);
    if (own_names.empty()) own_names = names;
    const Json document = parse(read_blob(directory, parse_descriptor(descriptor)), "a manifest");
    if (document.contains("manifests")) {
      read_index(directory, document, depth + 1, own_names, images);
    } else {
      images.push_back(parse_manifest(directory, document, own_names));
    }
  }
}

Fd open_index(const Fd& directory) try {
  return open_beneath(directory, "index.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
} catch (const Error& error) {
  throw error.in("this is no OCI image layout");
}

}  // namespace

Fd open_blob(const Fd& directory, const OciBlob& blob) {
  Fd file =
      open_beneath(directory, "blobs/sha256/" + blob.sha256, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  archive::Sha256 digest;
  std::string block(size_t{256} << 10, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno != EINTR) throw Error::system(errno, "cannot read a blob");
    if (got == 0) break;
    if (got > 0) digest.update({block.data(), static_cast<size_t>(got)});
  }
  if (digest.finish() != blob.sha256) refuse("the blob " + blob.sha256 + " has another digest");
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot rewind a blob");
  return file;
}

std::vector<OciImage> read_oci_layout(const Fd& directory) {
  const std::string index = read_document(open_index(directory));
  std::vector<OciImage> images;
  read_index(directory, parse(index, "index.json"), 0, {}, images);
  if (images.empty()) {
    throw Error(ErrorKind::kUnsupported,
                "the OCI layout has no image for linux/" + oci_architecture());
  }
  return images;
}

}  // namespace still::engine
