// Containers as lists show them: the entries of `ps`, with Podman's keys.
#pragma once

#include <string>
#include <vector>

#include "cli/output/json.h"
#include "cli/output/output.h"
#include "engine/container/container_config.h"
#include "journal/host.h"
#include "store/store.h"

namespace still::cli {

// A container as it is now, everything parsed.
struct ContainerView {
  store::ContainerRecord record;
  engine::ContainerConfig config;
  std::string image_name;  // "localhost/redis:latest"; empty with --rootfs
};

// Looks at the machine, takes no lock. Name lookups of images are cached in the object: one for a
// whole list.
class ContainerViewer {
 public:
  explicit ContainerViewer(const journal::Host& host);
  ContainerView view(store::ContainerRecord record) const;

 private:
  const store::Layout& layout_;
  std::vector<store::ImageRecord> images_;
};

// The name of the image that the user meant by `given`: one of its names, else the given one.
std::string image_name(const store::ImageRecord& image, const std::string& given);

// "Up 5 minutes", "Exited (1) 2 hours ago", "Created", "Paused".
std::string status_text(const store::ContainerRecord& record);

// full: commands and ids are not shortened.
ListEntry list_entry(const ContainerView& container, bool full);

}  // namespace still::cli
