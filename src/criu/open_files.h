// Which files the processes in CRIU's images have open.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace still::criu {

// Absolute paths, as the container sees them, of the regular files and directories that a process
// has open, mapped, as its program or as a directory it is in: CRIU opens each by this name, and
// takes it only as large as it was. Throws Error(kCorrupt), Error(kSystem).
std::set<std::string> open_file_names(const std::filesystem::path& images);

// Whether they hold TCP sockets that have, or had, a peer: CRIU restores these as connections, and
// wants to be told to, whatever their state. Throws Error(kCorrupt), Error(kSystem).
bool has_tcp_connections(const std::filesystem::path& images);

}  // namespace still::criu
