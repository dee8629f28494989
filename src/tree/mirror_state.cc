#include "tree/mirror_state.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "os/beneath.h"
#include "os/parallel.h"

namespace still::tree {
namespace {

constexpr size_t kEntriesAtOnce = 1024;

}  // namespace

CopiedDirectory* MirrorState::directory(const std::string& path) {
  const auto found = directories_.find(path);
  return found == directories_.end() ? nullptr : &found->second;
}

std::shared_ptr<CopiedFile> MirrorState::file(const Inode& inode) const {
  const auto found = files_.find(inode);
  return found == files_.end() ? nullptr : found->second;
}

void MirrorState::add_directory(const std::string& path) {
  const auto [parent, name] = split_path(path);
  directories_[path] = {};
  CopiedDirectory& above = directories_.at(parent);
  above.subdirectories.insert(name);
  above.touched = true;
}

void MirrorState::add_file(const std::shared_ptr<CopiedFile>& file, const std::string& path) {
  const auto [parent, name] = split_path(path);
  CopiedDirectory& above = directories_.at(parent);
  above.files[name] = file;
  above.touched = true;
  file->places.insert(path);
  files_[file->inode] = file;
}

void MirrorState::drop_place(const std::shared_ptr<CopiedFile>& file, const std::string& path) {
  file->places.erase(path);
  if (!file->places.empty() || !file->held.empty()) return;
  const auto known = files_.find(file->inode);
  // The inode's number may belong to another file by now.
  if (known != files_.end() && known->second == file) files_.erase(known);
}

void MirrorState::remove_file(const std::string& path) {
  const auto [parent, name] = split_path(path);
  CopiedDirectory& above = directories_.at(parent);
  const auto found = above.files.find(name);
  if (found == above.files.end()) return;
  const std::shared_ptr<CopiedFile> file = found->second;
  above.files.erase(found);
  above.touched = true;
  drop_place(file, path);
}

void MirrorState::remove_directory(const std::string& path) {
  const auto [parent, name] = split_path(path);
  CopiedDirectory& above = directories_.at(parent);
  above.subdirectories.erase(name);
  above.touched = true;
  for (std::vector<std::string> doomed = {path}; !doomed.empty();) {
    const std::string next = std::move(doomed.back());
    doomed.pop_back();
    const auto node = directories_.extract(next);
    for (const auto& [file_name, file] : node.mapped().files) {
      drop_place(file, path_in(next, file_name));
    }
    for (const std::string& below : node.mapped().subdirectories) {
      doomed.push_back(path_in(next, below));
    }
  }
}

std::map<std::string, uint32_t> MirrorState::inode_flags() const {
  std::map<std::string, uint32_t> result;
  for (const auto& [path, directory] : directories_) {
    if (directory.flags != 0) result.emplace(path, directory.flags);
    for (const auto& [name, file] : directory.files) {
      if (file->flags != 0) result.emplace(path_in(path, name), file->flags);
    }
  }
  return result;
}

bool is_proven(const Proof& proof, const struct stat& status, const CompareOptions& options) {
  return options.trust && !(options.racy_counts && proof.racy()) && proof.matches(status);
}

bool is_unchanged(const CopiedFile& file, const struct stat& status,
                  const CompareOptions& options) {
  if (options.suspects != nullptr && options.suspects->contains(status.st_ino)) return false;
  return is_proven(file.proof, status, options);
}

namespace {

// A run of entries of one directory, and what came of comparing it.
struct Piece {
  size_t directory;
  size_t begin, end;
  size_t known = 0;  // entries whose name the copy has
  std::vector<Differences::Name> names{};
  std::vector<std::string> foreign{};
};

class Comparison {
 public:
  Comparison(MirrorState& state, const std::vector<ScannedDirectory>& scan,
             const CompareOptions& options)
      : state_(state), scan_(scan), options_(options), copies_(scan.size()) {}

  Differences run() {
    std::vector<Piece> pieces = cut();
    parallel_for(pieces.size(), 1, options_.threads, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) look_at(pieces[i]);
    });
    for (Piece& piece : pieces) take(piece);
    for (size_t i = 0; i < scan_.size(); ++i) find_gone(i);
    std::ranges::sort(result_.foreign);
    return std::move(result_);
  }

 private:
  std::vector<Piece> cut() {
    std::vector<Piece> pieces;
    for (size_t i = 0; i < scan_.size(); ++i) {
      copies_[i] = {.copy = state_.directory(scan_[i].path), .known = 0};
      if (is_foreign(scan_[i].status)) result_.foreign.push_back(shown_path(scan_[i].path));
      const size_t count = scan_[i].entries.size();
      for (size_t begin = 0; begin < count; begin += kEntriesAtOnce) {
        pieces.push_back(
            {.directory = i, .begin = begin, .end = std::min(begin + kEntriesAtOnce, count)});
      }
    }
    return pieces;
  }

  void look_at(Piece& piece) const {
    const ScannedDirectory& directory = scan_[piece.directory];
    const CopiedDirectory* copy = copies_[piece.directory].copy;
    for (size_t i = piece.begin; i < piece.end; ++i) {
      const ScannedEntry& entry = directory.entries[i];
      if (S_ISDIR(entry.status.st_mode)) continue;
      if (is_foreign(entry.status)) piece.foreign.push_back(path_in(directory.path, entry.name));
      const CopiedFile* file = nullptr;
      if (copy != nullptr) {
        const auto found = copy->files.find(entry.name);
        if (found != copy->files.end()) file = found->second.get();
      }
      if (file != nullptr) ++piece.known;
      if (file == nullptr || !is_unchanged(*file, entry.status, options_)) {
        piece.names.push_back({piece.directory, i});
      }
    }
  }

  bool is_foreign(const struct stat& status) const {
    return changed_at(status) > options_.still_since;
  }

  void take(Piece& piece) {
    copies_[piece.directory].known += piece.known;
    std::ranges::move(piece.names, std::back_inserter(result_.names));
    std::ranges::move(piece.foreign, std::back_inserter(result_.foreign));
  }

  // Names of the copy that the source does not have any more. A directory of the copy that is not
  // in the scan at all is gone from its parent.
  void find_gone(size_t index) {
    const auto& [copy, known] = copies_[index];
    if (copy == nullptr) return;
    const ScannedDirectory& directory = scan_[index];
    std::unordered_set<std::string_view> subdirectories;
    for (const ScannedEntry& entry : directory.entries) {
      if (S_ISDIR(entry.status.st_mode)) subdirectories.insert(entry.name);
    }
    for (const std::string& name : copy->subdirectories) {
      if (!subdirectories.contains(name)) {
        result_.gone_directories.push_back(path_in(directory.path, name));
      }
    }
    if (known == copy->files.size()) return;
    std::unordered_set<std::string_view> files;
    for (const ScannedEntry& entry : directory.entries) {
      if (!S_ISDIR(entry.status.st_mode)) files.insert(entry.name);
    }
    for (const auto& [name, file] : copy->files) {
      if (!files.contains(name)) result_.gone_files.push_back(path_in(directory.path, name));
    }
  }

  struct Counterpart {
    CopiedDirectory* copy = nullptr;
    size_t known = 0;
  };

  MirrorState& state_;
  const std::vector<ScannedDirectory>& scan_;
  const CompareOptions& options_;
  std::vector<Counterpart> copies_;  // of the scan's directories
  Differences result_;
};

}  // namespace

Differences compare(MirrorState& state, const std::vector<ScannedDirectory>& scan,
                    const CompareOptions& options) {
  return Comparison(state, scan, options).run();
}

}  // namespace still::tree
