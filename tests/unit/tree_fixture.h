// A tree with everything that is hard to copy, and a description of trees for comparing them. Both
// use nothing of what they test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace still::test {

// One line for each entry, sorted by path: kind, mode, owner, size, modification time, device, link
// target, extended attributes, a digest of the content, and for hard links the first of the names.
// Follows no links; paths may be longer than PATH_MAX.
std::vector<std::string> describe_tree(const std::filesystem::path& root);

// Fills the directory. What needs root (owners, devices, trusted.* attributes) is there only as
// root.
void make_nasty_tree(const std::filesystem::path& root);

// Allocated bytes of a file.
uint64_t allocated(const std::filesystem::path& path);

// The xattr form of an access control list that gives this user read and write.
std::string acl_for_user(uint32_t uid);

}  // namespace still::test
