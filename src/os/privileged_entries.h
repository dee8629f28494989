// What a tree can hold only because somebody with a capability beyond the usual ones has put it
// there (capabilities(7)). Checkpoints name it, and archives have to be granted it.
#pragma once

#include "base/some_paths.h"
#include "os/metadata.h"

namespace still {

struct PrivilegedEntries {
  SomePaths devices;  // device nodes: CAP_MKNOD
  SomePaths trusted;  // entries with attributes trusted.*: CAP_SYS_ADMIN

  bool empty() const { return devices.empty() && trusted.empty(); }
};

// Whether it takes CAP_MKNOD to make such a node. Linux makes whiteouts for everybody, since 5.8:
// nothing can be opened through one.
bool is_privileged_node(mode_t mode, dev_t device);

inline constexpr std::string_view kTrustedXattrPrefix = "trusted.";
bool has_trusted_xattrs(const Xattrs& xattrs);

}  // namespace still
