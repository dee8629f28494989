// Writes a checkpoint archive: one outer tar, compressed, members in order, the manifest first.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/manifest.h"
#include "archive/tree_tar.h"
#include "os/atomic_file.h"
#include "os/fd.h"

namespace still::archive {

enum class Compression { kZstd, kGzip, kNone };

// "zstd", "gzip", "none"; throws Error(kUsage) for anything else.
Compression parse_compression(std::string_view name);

// What reading a file leaves of it.
enum class Reading {
  kKeep,
  kUseUp,  // its space is given back as it is read: nobody needs it any more
};

// Called now and then with the uncompressed bytes written so far.
using Progress = std::function<void(uint64_t)>;

// Everything goes into a private file (mode 0600 from the start) in the target's directory, an
// AtomicFile; only commit() gives it the final name. Every function throws Error(kSystem) if it
// cannot read or write, and Error(kConflict) if what it reads changes meanwhile; the writer is then
// good for nothing but its destructor. One pass: every member is hashed as it is written, and the
// manifest, which must come first but holds the hashes, goes into room kept at the front (a
// compression frame of its own, padded with a zstd skippable frame, a gzip extra field or spaces).
class ArchiveWriter {
 public:
  // Replaces an existing regular file at commit. key: of its temporary names, see AtomicFile.
  // Throws Error(kSystem), and as FilePlace::check().
  ArchiveWriter(std::shared_ptr<const FilePlace> target, Compression compression,
                const std::string& key = {});
  ArchiveWriter(const std::filesystem::path& target, Compression compression,
                const std::string& key = {});
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  // Without commit(): nothing is left.
  ~ArchiveWriter();

  // All files that can be there until commit() has returned.
  static std::vector<std::filesystem::path> temporary_paths(const std::filesystem::path& target,
                                                            const std::string& key);

  void set_progress(Progress progress);

  void add_bytes(const std::string& member, std::string_view content);
  // A regular file of the host, read from its start to where its end is now, at most max_bytes: it
  // may grow meanwhile, like a log. Holes are read as zeros.
  void add_file(const std::string& member, const Fd& file, uint64_t max_bytes = UINT64_MAX);
  // An empty directory entry, name without the closing slash.
  void add_directory(const std::string& member);
  // Regular files, directories and links below a directory of the host, each as a member
  // PREFIX/path; the entry PREFIX/ itself first. instead: contents by the paths of files that are
  // taken for what is there, or come in addition.
  void add_files_below(const std::string& prefix, const Fd& directory,
                       Reading reading = Reading::kKeep,
                       const std::map<std::string, std::string>& instead = {});
  // A tree as an inner tar (tree_tar.h) under this member name.
  TreeTarTotals add_tree(const std::string& member, const Fd& root, const TreeTarOptions& options);

  // Completes the manifest with the members' digests, writes it to the front, syncs file and
  // directory and renames. After it returns the archive exists, whole and durable.
  // Throws Error(kSystem), and as FilePlace::check(); the target is then untouched.
  void commit(Manifest manifest);

  // Of the finished archive, compressed; valid after commit().
  uint64_t size_bytes() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace still::archive
