// CRIU's images of a container, made fit for a restore.
#pragma once

#include <filesystem>
#include <string>

namespace still::subject {

// Rewrites images of a container that lived in the cgroup `from` (as Subject::cgroup; empty: it had
// none of its own) for a restore into `to` (empty: none), and makes that cgroup, with those below
// it that tasks were in. The restore takes the network namespace that the runtime provides, and the
// root directory and the sources of mounts as they are now, and does not end with the process that makes it. Throws Error(kCorrupt), Error(kSystem).
void fit_images(const std::filesystem::path& images, const std::string& from,
                const std::string& to);

}  // namespace still::subject
