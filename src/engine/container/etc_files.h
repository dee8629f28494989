// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, bind-mounted from its etc(). They
// are the container's: it may write to them. What the engine has written is kept below
// etc()/written, so that it can be told from that.
#pragma once

#include <array>
#include <set>
#include <string>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"

namespace still::engine {

inline constexpr std::array kEtcFiles = {"hosts", "hostname", "resolv.conf"};

// Both for a container that does not run; hostname, name: what it is called.

// Makes those that are missing. With the host's network they say what the host's say.
void make_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                    const std::string& hostname, const std::string& name);

// Before it starts, or is restored under another name: a file that is as the engine has written it
// is written anew, and of a hosts file that the container has changed the line with its names, if
// it is still there. All else stays.
// open: paths of files that processes which are about to be restored have open; those stay as they
// are, because CRIU takes no open file of another size.
void renew_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                     const std::string& hostname, const std::string& name,
                     const std::set<std::string>& open = {});

}  // namespace still::engine
