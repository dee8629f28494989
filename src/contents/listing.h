// The members of an archive as a list, and the entries of one of its trees.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "archive/reader.h"

namespace still::contents {

struct ListedMember {
  std::string name;         // of a directory with a slash at its end
  std::string link_target;  // of a link
  uint64_t size_bytes = 0;
  std::string sha256;  // that the manifest says; empty: it says nothing
  std::string fault;   // why it is not as the manifest says; empty: it is, or there is no manifest
};

struct Listing {
  bool has_digests = false;           // there is a manifest
  std::vector<ListedMember> members;  // in the archive's order, those that are missing last
};

// Reads the whole archive. Members that are not as the manifest says are no error here. Throws what
// archive::read_archive does otherwise.
Listing list_members(const std::filesystem::path& archive, archive::ReadOptions options);

struct TreeEntry {
  std::string path;  // relative; "" is the root of the tree
  mode_t mode = 0;   // with the kind
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t size_bytes = 0;
  timespec modified{};
  std::string link_target;  // of a symbolic link
  std::string hard_link;    // the first name of the same file; the rest is that one's
  dev_t device = 0;         // of device nodes
};

// The entries of a tree in their order. Throws as read_member() does, Error(kUnsupported) for a
// tree whose list would take a gigabyte.
std::vector<TreeEntry> list_tree(const std::filesystem::path& archive, const std::string& member,
                                 const archive::ReadOptions& options);

}  // namespace still::contents
