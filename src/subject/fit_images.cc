#include "subject/fit_images.h"

#include "cgroup/container_cgroup.h"
#include "cgroup/location.h"
#include "criu/cgroups.h"
#include "criu/mount_sources.h"
#include "criu/network.h"
#include "criu/parent_death.h"
#include "criu/root_mode.h"

namespace still::subject {

void fit_images(const std::filesystem::path& images, const std::string& from,
                const std::string& to) {
  const auto nested = criu::move_cgroups(
      images, {.from = from, .to = to, .hierarchies = cgroup::mounted_hierarchies()});
  if (!to.empty()) cgroup::make_cgroup(to);
  for (const std::string& path : nested) cgroup::make_cgroup(to + "/" + path);
  criu::use_provided_network(images);
  criu::forget_root_mode(images);
  criu::forget_parent_death(images);
  criu::forget_host_mounts(images);
}

std::map<std::string, std::string> portable_images(const std::filesystem::path& images,
                                                   const Portability& portability) {
  auto files = criu::own_cgroups(images, portability.from, portability.to);
  if (portability.has_loopback_alone) files.merge(criu::own_network(images));
  files.merge(criu::without_host_mounts(images));
  files["files.img"] = criu::without_root_mode(images);
  return files;
}

}  // namespace still::subject
