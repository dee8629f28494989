// What archives say of containers whose engine has no configuration in libpod's keys: what is made
// of them is restored by Still and by Podman as one of Podman's is. Plain computation.
#pragma once

#include <string>
#include <string_view>

#include "sources/foreign/held.h"

namespace still::sources {

struct ArchivedForms {
  std::string config_dump, spec_dump;  // members of the archive
};

// runtime: "crun" or "runc"; has_loopback_alone: as Subject's. cgroup: that they name
// (archived_cgroup()). config_json: the bundle's. Throws Error(kCorrupt) for a spec that is none.
ArchivedForms archived_forms(const Statement& statement, const std::string& runtime,
                             bool has_loopback_alone, const std::string& cgroup,
                             std::string_view config_json);

// The cgroup that archives name, in the images, too: Podman's where Podman may restore it, else its
// own. Podman needs an image.
std::string archived_cgroup(const Statement& statement, const std::string& own_cgroup);

}  // namespace still::sources
