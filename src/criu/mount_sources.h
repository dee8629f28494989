// What CRIU's images say of the machine behind the mounts that the runtime provides.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::criu {

// The files, by name, that are other ones when they say nothing of these:
// - That the source of such a mount was replaced while it was mounted. CRIU takes that for a file
//   that nobody has any more, and tries to make the file anew at the name of its source, on the
//   host: which fails where there is another one, and would be none of its business where there is
//   none. What the source is now is mounted instead.
// - That mounts on the host reach it, or go out of it (mount_namespaces(7)). It is so with Docker's
//   volumes. CRIU asks for the same on the machine of the restore, and fails where the source is no
//   shared mount.
// Throws Error(kCorrupt), Error(kSystem).
std::map<std::string, std::string> without_host_mounts(const std::filesystem::path& images);
// Has the images be so.
void forget_host_mounts(const std::filesystem::path& images);

}  // namespace still::criu
