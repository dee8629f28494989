// What a mirror knows of its copy: which names it has, and what each was copied from. Internal to
// tree/.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tree/entry.h"
#include "tree/proof.h"
#include "tree/scan.h"

namespace still::tree {

struct InodeHash {
  size_t operator()(const Inode& inode) const {
    return std::hash<uint64_t>()(inode.second * 0x9e3779b97f4a7c15U + inode.first);
  }
};

// An inode of the source that is no directory, and its copy.
struct CopiedFile {
  Inode inode;
  bool regular = false;
  uint32_t flags = 0;  // of the source's inode: os/inode_flags.h
  Proof proof;
  std::set<std::string> places;  // names that the copy has, as paths in the target
  std::string held;              // a further name of it in the spare directory; empty: none
};

struct CopiedDirectory {
  Proof proof;  // of its metadata
  std::unordered_map<std::string, std::shared_ptr<CopiedFile>> files;
  std::set<std::string> subdirectories;
  uint32_t flags = 0;    // as a file's
  bool touched = false;  // names in the copy have come or gone: its times are to be set again
};

class MirrorState {
 public:
  MirrorState() { directories_[""]; }

  // nullptr if there is none.
  CopiedDirectory* directory(const std::string& path);
  std::shared_ptr<CopiedFile> file(const Inode& inode) const;

  void add_directory(const std::string& path);
  void add_file(const std::shared_ptr<CopiedFile>& file, const std::string& path);
  void remove_file(const std::string& path);
  // With everything below it.
  void remove_directory(const std::string& path);

  // Of entries that have some, by path.
  std::map<std::string, uint32_t> inode_flags() const;

 private:
  void drop_place(const std::shared_ptr<CopiedFile>& file, const std::string& path);

  std::unordered_map<std::string, CopiedDirectory> directories_;  // by path
  std::unordered_map<Inode, std::shared_ptr<CopiedFile>, InodeHash> files_;
};

// The difference between the copy and a scan of the source.
struct Differences {
  struct Name {
    size_t directory;  // index into the scan
    size_t entry;      // index into its entries
  };
  std::vector<Name> names;  // new, or not proven to be unchanged; no directories
  std::vector<std::string> gone_files;
  std::vector<std::string> gone_directories;  // without what is below them
  std::vector<std::string> foreign;           // changed since a given moment
};

struct CompareOptions {
  unsigned threads = 1;
  bool trust = true;        // false: nothing is proven
  bool racy_counts = true;  // a racy proof does not prove
  const std::set<ino_t>* suspects = nullptr;
  // Entries with a later ctime are foreign.
  std::chrono::nanoseconds still_since = std::chrono::nanoseconds::max();
};

// Whether what was copied with this proof has this status now, and that means something.
bool is_proven(const Proof& proof, const struct stat& status, const CompareOptions& options);
// The same of a file, which may be a suspect.
bool is_unchanged(const CopiedFile& file, const struct stat& status, const CompareOptions& options);

Differences compare(MirrorState& state, const std::vector<ScannedDirectory>& scan,
                    const CompareOptions& options);

}  // namespace still::tree
