// Whether a tree's stream may be unpacked, told member by member from the stream alone. Extraction
// and verification both ask here, so that neither accepts what the other refuses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "archive/seen_paths.h"
#include "archive/tar_stream.h"
#include "archive/tree_tar.h"

namespace still::archive {

// What a tree may have. No file system that we know of takes more, and 20 million entries take half
// a gigabyte of our memory (SeenPaths), however long their paths are.
inline constexpr size_t kMaxTreeEntries = 20'000'000;
inline constexpr size_t kMaxTreePathSize = size_t{64} << 10;
inline constexpr size_t kMaxTreeDepth = 4096;
inline constexpr size_t kMaxLinkTargetSize = 4095;  // of the kernel

class TreeChecks {
 public:
  // options must outlive the checks.
  explicit TreeChecks(const ExtractOptions& options) : options_(options) {}

  struct Place {
    std::string path;  // relative; "" is the root of the tree
    bool is_directory = false;
    std::string hard_link;  // the path that it is another name of
  };
  // The next member of the stream. Throws Error(kCorrupt) as extract_tree_tar says, for all that
  // does not depend on what is below the root already.
  Place admit(const TarMember& member);

  // Whether the directory was a member itself.
  bool is_member(std::string_view directory) const;

  // Of all that were admitted.
  const PrivilegedEntries& privileged() const { return privileged_; }

 private:
  using Kind = SeenPaths::Kind;

  void check_parents(std::string path);
  void check_kind(const TarMember& member) const;
  bool is_usual_device(const TarMember& member) const;
  void note_privileged(const TarMember& member, const std::string& path);
  std::string hard_link_target(const TarMember& member, const std::string& path) const;

  const ExtractOptions& options_;
  SeenPaths seen_;
  PrivilegedEntries privileged_;
};

// Hands over the content of the current member, block by block. Throws Error(kCorrupt) if blocks
// overlap or lie beyond the member's size.
void read_content(TarReader& tar, const TarMember& member,
                  const std::function<void(const TarReader::Block&)>& take);

// Reads such a stream to its end, each member admitted by the checks before visit gets it; what
// visit leaves of its content is read all the same. Throws Error(kCorrupt) naming the member.
using TreeVisit =
    std::function<void(TarReader& tar, const TarMember& member, const TreeChecks::Place& place)>;
void for_each_tree_member(const Source& source, TreeChecks& checks, const TreeVisit& visit);

}  // namespace still::archive
