// One member of an archive, or one entry of a tree in it. The archive is not trusted, and is read
// to its end, so that its digests have been compared when a function returns.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "archive/reader.h"
#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::contents {

// Hands over the content of a member that is a file; still.json is one, too. Throws what
// archive::read_archive does; Error(kNotFound) if there is no such member, Error(kUsage) if it is a
// directory or a link.
using TakeMember = std::function<void(uint64_t size_bytes, const archive::Source& content)>;
void read_member(const std::filesystem::path& archive, const std::string& member,
                 const archive::ReadOptions& options, const TakeMember& take);

// For reading trees: looking makes nothing, so nothing needs a grant.
inline constexpr archive::ExtractOptions kLooking{.allow_devices = true,
                                                  .allow_trusted_xattrs = true};

// The stream of a tree: the member's own, or what is packed in it. Throws Error(kUsage) for a
// member that is no tree.
archive::Source tree_stream(const std::string& member, archive::Source content);
bool is_tree(const std::string& member);

// Copies a member into an empty file. Nothing of it may be used if this throws. Throws as
// read_member() does, Error(kSystem) before anything is written if there is no room for it.
void copy_member(const std::filesystem::path& archive, const std::string& member, const Fd& target,
                 const archive::ReadOptions& options);

// The same for a regular file in a tree, path as the container has it or relative to the tree; no
// link is followed. Throws Error(kUsage) for an entry that is no regular file, and for one that is
// a further name of a file, naming the first.
void copy_tree_file(const std::filesystem::path& archive, const std::string& member,
                    const std::string& path, const Fd& target, const archive::ReadOptions& options);

}  // namespace still::contents
