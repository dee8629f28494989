// Tar files as other tools make them: compressed in any way, or read for a member or two.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::engine {

// The bytes of a file from its current position on, decompressed whatever the compression is
// (gzip, zstd, xz, bzip2, lz4, none). The file must stay open while the source is used. The source
// throws Error(kCorrupt).
archive::Source uncompressed(const Fd& file);

// Calls visit for each regular file in a tar file of any compression until it returns false.
// content reads the whole member; throws Error(kCorrupt) for one larger than 64 MiB.
void visit_tar_members(
    const Fd& file,
    const std::function<bool(const std::string& name, const std::function<std::string()>& content)>&
        visit);

// Calls visit with the name of every member, of any kind.
void visit_tar_names(const Fd& file, const std::function<void(const std::string& name)>& visit);

// A copy of standard input as a file of this name, for what has to be read twice.
Fd spool_standard_input(const std::filesystem::path& path);

}  // namespace still::engine
