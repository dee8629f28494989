// Network namespaces that outlive their processes.
#pragma once

#include <filesystem>

namespace still {

// Makes a new network namespace whose loopback interface is up, and mounts it on the file `path`
// (made if it does not exist), which keeps it alive. Undo: unmount_all(path). Throws
// Error(kSystem).
void make_network_namespace(const std::filesystem::path& path);

// In the namespace of this process. System calls only. False with errno set when one fails.
bool bring_loopback_up();

}  // namespace still
