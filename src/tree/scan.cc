#include "tree/scan.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/limits.h"
#include "os/parallel.h"
#include "os/walk.h"
#include "tree/proof.h"

namespace still::tree {
namespace {

// Directories that are open at the same time.
constexpr size_t kBatch = 256;
// Entries that one thread asks for at a time: a directory with many is shared among the threads.
constexpr size_t kEntriesAtOnce = 256;

struct OpenDirectory {
  std::optional<Fd> directory;  // nullopt: vanished, or not to be entered
  std::vector<ScannedEntry> entries;
};

// No kind of entry: one that has vanished.
constexpr mode_t kVanished = 0;

constexpr uint64_t kBytesPerEntry = 2048;

[[noreturn]] void refuse_number(size_t too_many) {
  throw Error(ErrorKind::kSystem,
              formatted("it has {} entries or more, and there is no memory for what a checkpoint "
                        "has to know of them",
                        too_many),
              "free memory, or leave the tree out (--ignore-rootfs, --ignore-volumes)");
}

struct Piece {
  OpenDirectory* directory;
  size_t begin, end;
};

class Scan {
 public:
  Scan(const Fd& root, unsigned threads, const std::stop_token& stop, size_t too_many)
      : root_(root), threads_(threads), stop_(stop), too_many_(too_many) {
    const struct stat status = stat_fd(root);
    device_ = status.st_dev;
    directories_.push_back({{}, status, {}});
  }

  // Directories are appended while their parents are read, so that the list is its own queue.
  std::vector<ScannedDirectory> run() && {
    for (size_t done = 0; done < directories_.size() && !stop_.stop_requested();) {
      const size_t end = std::min(done + kBatch, directories_.size());
      read_batch(done, end);
      done = end;
    }
    return std::move(directories_);
  }

 private:
  void read_batch(size_t begin, size_t end) {
    std::vector<OpenDirectory> batch(end - begin);
    parallel_for(batch.size(), 1, threads_, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) batch[i] = list(directories_[begin + i]);
    });
    const std::vector<Piece> pieces = cut_into_pieces(batch);
    parallel_for(pieces.size(), 1, threads_, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) ask(pieces[i]);
    });
    for (size_t i = 0; i < batch.size(); ++i) take(begin + i, batch[i]);
  }

  OpenDirectory list(const ScannedDirectory& directory) const try {
    if (directory.status.st_dev != device_) return {};
    const auto place = open_directory_beneath(root_, directory.path);
    if (!place) return {};
    auto opened = open_at_if_exists(*place, ".", O_RDONLY | O_DIRECTORY);
    if (!opened) return {};
    std::vector<ScannedEntry> entries;
    for (std::string& name : list_names(*opened, too_many_)) {
      entries.push_back({std::move(name), {}});
    }
    return {std::move(opened), std::move(entries)};
  } catch (const Error& error) {
    // A link has taken the directory's place, or that of one above it.
    if (error.kind() == ErrorKind::kCorrupt) return {};
    throw error.in(printable(directory.path));
  }

  static std::vector<Piece> cut_into_pieces(std::vector<OpenDirectory>& batch) {
    std::vector<Piece> pieces;
    for (OpenDirectory& directory : batch) {
      const size_t count = directory.entries.size();
      for (size_t begin = 0; begin < count; begin += kEntriesAtOnce) {
        pieces.push_back({&directory, begin, std::min(begin + kEntriesAtOnce, count)});
      }
    }
    return pieces;
  }

  void ask(const Piece& piece) const {
    OpenDirectory& directory = *piece.directory;
    for (size_t i = piece.begin; i < piece.end && !stop_.stop_requested(); ++i) {
      ScannedEntry& entry = directory.entries[i];
      if (!stat_into(*directory.directory, entry.name, entry.status)) {
        entry.status.st_mode = kVanished;
      }
    }
  }

  void take(size_t index, OpenDirectory& read) {
    std::erase_if(read.entries,
                  [](const ScannedEntry& entry) { return entry.status.st_mode == kVanished; });
    for (const ScannedEntry& entry : read.entries) {
      if (S_ISDIR(entry.status.st_mode)) queue(index, entry);
    }
    entries_ += read.entries.size();
    if (entries_ >= too_many_) refuse_number(too_many_);
    directories_[index].entries = std::move(read.entries);
  }

  void queue(size_t parent, const ScannedEntry& entry) {
    directories_.push_back({path_in(directories_[parent].path, entry.name), entry.status, {}});
  }

  const Fd& root_;
  const unsigned threads_;
  const std::stop_token& stop_;
  const size_t too_many_;
  size_t entries_ = 0;
  dev_t device_;
  std::vector<ScannedDirectory> directories_;
};

}  // namespace

std::string path_in(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty()) path += '/';
  return path += name;
}

std::string shown_path(const std::string& path) { return path.empty() ? "." : path; }

std::vector<ScannedDirectory> scan_tree(const Fd& root, unsigned threads,
                                        const std::stop_token& stop, size_t too_many) {
  return Scan(root, threads, stop, too_many).run();
}

size_t entries_that_fit() { return available_memory() / kBytesPerEntry; }

std::optional<std::string> find_other_file_system(const std::vector<ScannedDirectory>& scan) {
  const auto other = std::ranges::find_if(scan, [&](const ScannedDirectory& directory) {
    return directory.status.st_dev != scan.front().status.st_dev;
  });
  return other == scan.end() ? std::nullopt : std::optional(other->path);
}

std::set<std::string> changed_between(const Fd& root, std::chrono::nanoseconds from,
                                      std::chrono::nanoseconds until) {
  const auto is_between = [&](const struct stat& status) {
    return changed_at(status) > from && changed_at(status) < until;
  };
  std::set<std::string> changed;
  for (const ScannedDirectory& directory : scan_tree(root, processor_count())) {
    if (is_between(directory.status)) {
      changed.insert(shown_path(directory.path));
    }
    for (const ScannedEntry& entry : directory.entries) {
      if (S_ISDIR(entry.status.st_mode) || !is_between(entry.status)) continue;
      changed.insert(path_in(directory.path, entry.name));
    }
  }
  return changed;
}

}  // namespace still::tree
