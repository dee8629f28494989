// The user a process runs as, resolved against the /etc/passwd and /etc/group of a root file system
// that is not trusted.
#pragma once

#include <string>
#include <string_view>

#include "oci/spec.h"
#include "os/fd.h"

namespace still::engine {

struct ResolvedUser {
  oci::SpecUser ids;
  std::string home;  // "/" if passwd does not say
};

// user: "", "name", "uid", "name:group", "uid:gid" and mixtures, as in an image configuration.
// A name takes its group and supplementary groups from the files; a number that no line knows is
// taken as it is, with group 0; a group that was given leaves the supplementary ones out.
// Throws Error(kNotFound) for a name that is in no file.
ResolvedUser resolve_user(std::string_view user, std::string_view passwd, std::string_view group);

// The same with the files of a root file system. Links in it are followed as a process inside would
// see them and cannot lead out of it.
ResolvedUser resolve_user(std::string_view user, const Fd& rootfs);

}  // namespace still::engine
