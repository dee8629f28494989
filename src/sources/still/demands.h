// What an archive asks for. Security-relevant settings of a restored container come from the caller
// or from a container that the store knows, never from an archive alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "criu/image_privileges.h"
#include "engine/container/container_config.h"
#include "store/store.h"
#include "subject/destination.h"

namespace still::sources {

// What a configuration has beyond a container that was made without flags, as the flags that it
// takes: "--cap-add CAP_NET_ADMIN", "-v /srv:/srv:ro". Throws as security_of() and
// effective_capabilities() do.
std::vector<std::string> demands_of(const engine::ContainerConfig& config);

// The same for the processes in the CRIU images, as far as it goes beyond the configuration.
std::vector<std::string> demands_of(const criu::ImagePrivileges& images,
                                    const engine::ContainerConfig& config);

// A flag that makes it right for trees to hold what they hold.
struct TreeDemand {
  std::string flag;
  std::string because;  // "device nodes in volumes/data.tar: a, b"
};
std::vector<TreeDemand> demands_of(const subject::PrivilegedTrees& trees);
std::string describe(const TreeDemand& demand);

struct Grants {
  bool everything = false;             // --allow-spec
  engine::ContainerConfig granted;     // made of the caller's flags
  std::optional<std::string> runtime;  // --runtime, if given
  bool without_network = false;        // --network none: also where the archive says otherwise
};

// The configuration to restore with: that of the archive, its bind mounts from where the caller
// says, its runtime the program that the caller says if that is one of the same kind. Throws
// Error(kUsage) for a network that Still does not offer and the caller does not give up, listing
// what is neither granted nor what the container of this id in the store has itself, and for a
// grant that the archive does not ask for. A capability that is granted for the sake of a tree
// alone the container does not get.
engine::ContainerConfig grant(engine::ContainerConfig asked, const criu::ImagePrivileges& images,
                              const subject::PrivilegedTrees& trees,
                              const std::string& container_id, const Grants& grants,
                              store::Store& store);

}  // namespace still::sources
