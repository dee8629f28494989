// A file that appears under its name only when it is complete and durable.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>

#include "os/fd.h"

namespace still {

// Where a file is going to be. Its directory is held open: by the time that the file is complete
// the path may lead to another one, and nobody has meant that.
class FilePlace {
 public:
  // Links on the way to the directory are followed, now. Throws Error(kSystem).
  explicit FilePlace(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  std::string name() const { return path_.filename(); }
  const Fd& directory() const { return directory_; }

  // Throws Error(kConflict) if the path leads to another directory by now, or to none, or if what
  // has the name there is anything but a regular file.
  void check() const;

 private:
  const std::filesystem::path path_;
  const Fd directory_;
};

class AtomicFile {
 public:
  // Makes a private file with exactly this mode in the place's directory. It has no name there
  // until commit(), so that nothing is left of it whatever happens; where the file system cannot do
  // that, a temporary one (temporary_path()). key, unique there, becomes part of temporary names;
  // empty: a random one. Throws Error(kSystem) naming the place.
  AtomicFile(std::shared_ptr<const FilePlace> place, mode_t mode, const std::string& key = {});
  AtomicFile(const std::filesystem::path& path, mode_t mode, const std::string& key = {});
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  // Without commit(): nothing is left of it, wherever its directory is by now.
  ~AtomicFile();

  // Open for reading and writing.
  const Fd& fd() const { return fd_; }

  // Syncs the file, gives it the place's name, replacing what has it, and syncs the directory.
  // Throws Error(kSystem), and as FilePlace::check(); what had the name is then untouched unless
  // only the last step failed.
  void commit();
  // The same, but for Error(kConflict) if anything has the name.
  void commit_new();

  // Where the file for a path has a name for a moment in commit(), or from the beginning; for
  // whoever must find what a crash has left.
  static std::filesystem::path temporary_path(const std::filesystem::path& path,
                                              const std::string& key);

 private:
  void give_name();
  void rename(unsigned flags);
  void sync() const;
  void discard() noexcept;

  std::shared_ptr<const FilePlace> place_;
  std::string temporary_;  // in the place's directory; empty: it has no name, or is committed
  std::string next_temporary_;
  Fd fd_;
};

}  // namespace still
