// What a lane of the adversary remembers of its files, and the comparison of files with that.
//
// The memory is exact: a content for every piece of every file, all names, kinds, links, modes,
// owners, and the times and attributes that the lane set. So there is no change that a checkpoint
// could have missed without a difference between the two.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inconsistent.h"

namespace workload {

struct Node;
using NodePtr = std::shared_ptr<Node>;

// A file, directory or symbolic link, as it must be.
struct Node {
  enum class Kind { kFile, kDirectory, kSymlink };

  Kind kind = Kind::kFile;
  uint64_t id = 0;                         // part of the content: tells files apart
  size_t piece_bytes = 4096;               // of a file
  std::vector<uint64_t> pieces;            // the version of each piece of a file, 0: only zeros
  std::map<std::string, NodePtr> entries;  // of a directory
  std::string target;                      // of a symbolic link
  nlink_t links = 1;                       // of a file
  mode_t mode = 0644;
  uid_t owner = geteuid();
  gid_t group = getegid();
  std::optional<timespec> mtime;  // nothing: whatever the kernel made it
  std::optional<std::map<std::string, std::string>> attributes;  // user.*; nothing: not looked at
};

NodePtr new_file(uint64_t id, std::vector<uint64_t> pieces, size_t piece_bytes = 4096);
NodePtr new_directory();

// Long ago, so that nothing but a change of the content shows that a file changed.
inline constexpr timespec kLongAgo{1'000'000'000, 123'456'789};

// --- system calls -----------------------------------------------------------------------------
// A name that is missing, or is there and must not be, is Inconsistent; all other errors are
// std::system_error.

[[noreturn]] void throw_errno(const char* call, const std::string& path);
inline void check(int result, const char* call, const std::string& path) {
  if (result < 0) throw_errno(call, path);
}

// An open file, closed at the end of its block: CRIU compares the size of open files on restore,
// so they are open no longer than needed.
class File {
 public:
  File(std::string path, int flags);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();
  int fd() const { return fd_; }
  // Writes what the node says of this piece.
  void write_piece(const Node& node, size_t index) const;
  void append_piece(const Node& node, size_t index) const;

 private:
  std::string path_;
  int fd_;
};

void set_mtime(const std::string& path, const timespec& time);

// Makes what the node says, where nothing is. Directories with all that is in them.
void make(const std::string& path, const Node& node);
// Removes it, each name that the node says and no other.
void remove(const std::string& path, const Node& node);

// --- comparison -------------------------------------------------------------------------------

// The content of one piece.
void fill_piece(std::span<uint64_t> words, const Node& node, size_t index);
// Throws Inconsistent if the piece is not that, and says what it is instead.
void verify_piece(std::span<const uint64_t> found, const Node& node, size_t index,
                  const std::string& path);

// Throws Inconsistent unless what is at the path is this node in everything. Directories with all
// that is in them and nothing else.
void verify(const std::string& path, const Node& node);

}  // namespace workload
