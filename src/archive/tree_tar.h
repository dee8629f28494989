// A directory tree as a tar stream (pax, uncompressed) and back. The archive's rootfs-diff.tar,
// volumes/NAME.tar and devshm-checkpoint.tar are such streams.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/content.h"
#include "os/fd.h"
#include "os/privileged_entries.h"

namespace still::archive {

// Takes the bytes of a stream in order. Throws to stop it.
using Sink = std::function<void(std::string_view)>;

struct TreeTarOptions {
  // Paths (and everything below them) left out, relative: "run", "etc/hosts".
  std::vector<std::string> excluded;
  // The tree is an overlay's upper layer: leave out whiteouts and trusted.overlay.* xattrs.
  bool upper_layer = false;
  // Flags of inodes (os/inode_flags.h) that a copy does not have and its entries had, by path; ""
  // is the root.
  std::map<std::string, uint32_t> inode_flags{};
};

struct TreeTarTotals {
  uint64_t size_bytes = 0;  // of the stream
  uint64_t files = 0;       // entries of any kind
  // Sockets cannot be stored in a tar file; their paths, for the manifest.
  std::vector<std::string> sockets;
  PrivilegedEntries privileged;  // as a restore will meet them
};

// Writes the tree below root, sorted by name, the root directory itself first as "./" (so that its
// owner, mode and times are kept). Names keep their bytes; sparse files stay sparse; hard links
// among the entries are stored as such; xattrs, ACLs, owners, times in nanoseconds and the flags of
// inodes (os/inode_flags.h) are kept.
// Entries must not change while they are read: a file whose size differs from its header fails with
// Error(kConflict).
TreeTarTotals write_tree_tar(const Fd& root, const TreeTarOptions& options, const Sink& sink);

// What is known of a tree's stream before it is written, so that it can be a member of an outer tar
// in one pass.
struct TreeTarPlan {
  TreeTarTotals totals;
  // Where the sparse files, by path, have data. A file system may change its mind about that when
  // it writes dirty pages back (XFS does), and with it the size of the stream.
  std::map<std::string, std::vector<Extent>> sparse_files;
};

// The same walk without reading file contents.
TreeTarPlan measure_tree_tar(const Fd& root, const TreeTarOptions& options);
// Writes the stream that was measured, size_bytes of it, if the tree has not changed.
TreeTarTotals write_tree_tar(const Fd& root, const TreeTarOptions& options, const TreeTarPlan& plan,
                             const Sink& sink);

// Reads up to `size` bytes of a stream into buffer; returns 0 at its end.
using Source = std::function<size_t(char* buffer, size_t size)>;

struct ExtractOptions {
  // Device nodes and trusted.* xattrs are refused unless set: only a container that was allowed to
  // make them has them. Where they are allowed, TreeSummary tells of them.
  bool allow_devices = false;
  bool allow_trusted_xattrs = false;
  // Character devices that are not refused in any case, and not told of.
  std::span<const dev_t> devices{};
  // The root is that of a mounted overlay, in which nobody can make a whiteout: they are refused.
  bool into_overlay = false;
  // TreeSummary names the links; 64 MiB of such names are refused.
  bool names_links = false;
  // The root is empty: an entry without one for its directory before it is refused at once.
  bool into_empty = false;
  // Anything but directories and regular files with one name is refused.
  bool only_plain_files = false;
};

// Unpacks such a stream below root, which may hold a tree already (files are replaced; an existing
// directory keeps its entries). The stream is not trusted: every name is resolved beneath root
// (openat2 RESOLVE_BENEATH without following links in it), and absolute names, "..", links through
// links, hard links to anything but an earlier member, device nodes, and names that occur twice are
// refused with Error(kCorrupt) naming the member. Modes (setuid included), owners, xattrs and times
// are restored, directories' times last, and then the flags of inodes. A large file is refused with
// Error(kSystem) before the first byte if the file system has no room for its data. On error what
// was unpacked so far stays: the caller owns root and removes it. Returns the paths of entries
// whose flags could not be set, because the file system does not have them.
SomePaths extract_tree_tar(const Source& source, const Fd& root, const ExtractOptions& options);

// What a stream would make.
struct TreeSummary {
  uint64_t memory_bytes = 0;   // in a tmpfs: whole pages for what files hold, one for each entry
  uint64_t entries = 0;        // of any kind
  bool has_root = false;       // the root of the tree is one of them
  uint64_t content_bytes = 0;  // of files, holes left out
  std::vector<std::string> links;  // paths of symbolic links, relative, if that was an option
  PrivilegedEntries privileged;
};

// Reads such a stream to its end and refuses what extract_tree_tar would, without a tree: only what
// depends on what is below the root already is left open.
TreeSummary check_tree_tar(const Source& source, const ExtractOptions& options);

}  // namespace still::archive
