// Images: layers unpacked once below store::Layout::layers(), stacked by overlayfs.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "journal/host.h"
#include "os/fd.h"

namespace still::engine {

struct OciImage;

class Images {
 public:
  explicit Images(const journal::Host& host) : host_(host) {}

  // A root file system as an image of one layer: source is a directory, a tar file (any compression
  // that libarchive reads) or "-" for standard input. name may be empty. Returns the image id.
  std::string import(const std::string& source, const std::string& name,
                     const std::vector<std::string>& changes);
  // A docker-archive or an OCI layout (directory or tar), read through skopeo; "-" for standard
  // input. Returns the names (or the id where there is none) of what was loaded.
  std::vector<std::string> load(const std::string& source);
  // Takes an image from where skopeo has it ("containers-storage:...", "docker-daemon:..."). names:
  // what it is called here. Returns its id, which is not the one there if skopeo had to bring its
  // configuration into OCI's form.
  std::string fetch(const std::string& source, const std::vector<std::string>& names);
  // Removes a name; with its last name the image and every layer no other image has.
  // Error(kConflict) naming the container if one uses it.
  void remove(const std::string& reference);

 private:
  std::vector<std::string> load_docker_archive(const std::filesystem::path& path,
                                               const nlohmann::json& manifest,
                                               const std::filesystem::path& work);
  std::vector<std::string> load_oci_archive(const std::filesystem::path& path,
                                            const std::filesystem::path& work);
  // names: instead of those that the layout has.
  std::vector<store::ImageRecord> put_layout(const std::filesystem::path& layout,
                                             const std::optional<std::vector<std::string>>& names);
  // Returns what load() does.
  std::vector<std::string> load_layout(const std::filesystem::path& layout,
                                       const std::optional<std::vector<std::string>>& names);
  store::ImageRecord unpack_image(const Fd& directory, const OciImage& image,
                                  std::vector<std::string> names);
  void put(const store::ImageRecord& image);
  void remove_unused_layers(const std::vector<std::string>& candidates);

  const journal::Host host_;
};

}  // namespace still::engine
