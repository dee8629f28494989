// CRIU's images of a container, made fit for a restore, or for a restore by whatever engine.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::subject {

// Rewrites images of a container that lived in the cgroup `from` (as Subject::cgroup; empty: it had
// none of its own) for a restore into `to` (empty: none), and makes that cgroup, with those below
// it that tasks were in. The restore takes the network namespace that the runtime provides, and the
// root directory and the sources of mounts as they are now, and does not end with the process that
// makes it. Throws Error(kCorrupt), Error(kSystem).
void fit_images(const std::filesystem::path& images, const std::string& from,
                const std::string& to);

struct Portability {
  std::string from;                 // the container's cgroup in the images, as above
  std::string to;                   // and in the archive
  bool has_loopback_alone = false;  // Subject
};
// For an archive: those files of the images, by name, that are other ones there, or there alone.
// Engines that take images as they are, as Podman does, can restore them then: CRIU makes the
// cgroup if it is missing, and the network namespace if it has a loopback device alone, and takes
// the root directory and the sources of mounts as they are. Throws Error(kCorrupt), Error(kSystem).
std::map<std::string, std::string> portable_images(const std::filesystem::path& images,
                                                   const Portability& portability);

}  // namespace still::subject
