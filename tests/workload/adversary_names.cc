// Lanes that change which files there are, under which names.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "adversary_lanes.h"
#include "base/format.h"

namespace workload {
namespace {

constexpr size_t kPage = 4096;

void rename_to(const std::string& from, const std::string& to) {
  check(rename(from.c_str(), to.c_str()), "rename", from);
}

void exchange(const std::string& one, const std::string& other) {
  check(renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE),
        "renameat2 (exchange)", one);
}

// Files of one size and one time change their names: no file was written, and all are others.
class Swap : public FilesLane {
 public:
  explicit Swap(const LaneSettings& settings) : FilesLane(settings, 2, kPage) {}

  void step() override {
    const size_t one = pick();
    const size_t other = pick_other(one);
    verify_file(one);
    verify_file(other);
    switch (random_.below(4)) {
      case 0:
        return swap(one, other);
      case 1:
        return replace(one);
      case 2:
        return rename_over(one, other);
      default:
        return rotate(one, other);
    }
  }

 private:
  void swap(size_t one, size_t other) {
    std::swap(entry(name(one)), entry(name(other)));
    exchange(file_path(one), file_path(other));
  }

  // As programs save: a new file over the old name.
  void replace(size_t file) {
    entry(name(file)) = fresh_file(next_id_++);
    make(path("new"), node(file));
    rename_to(path("new"), file_path(file));
  }

  // The name that became free is given to a new file.
  void rename_over(size_t from, size_t to) {
    entry(name(to)) = entry(name(from));
    rename_to(file_path(from), file_path(to));
    entry(name(from)) = fresh_file(next_id_++);
    make(file_path(from), node(from));
  }

  // A chain of renames, by way of a name that is gone again at its end.
  void rotate(size_t one, size_t other) {
    const size_t third = pick_other(other);
    if (third == one) return swap(one, other);
    verify_file(third);
    const NodePtr first = entry(name(one));
    rename_to(file_path(one), path("aside"));
    entry(name(one)) = entry(name(other));
    rename_to(file_path(other), file_path(one));
    entry(name(other)) = entry(name(third));
    rename_to(file_path(third), file_path(other));
    entry(name(third)) = first;
    rename_to(path("aside"), file_path(third));
  }

  uint64_t next_id_ = files_;
};

// A name is a file, then a directory with something in it, then a symbolic link, then a file.
class FileDirectory : public FilesLane {
 public:
  explicit FileDirectory(const LaneSettings& settings) : FilesLane(settings, 1, kPage) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    const NodePtr old = entry(name(file));
    entry(name(file)) = other_kind(old->kind);
    if (random_.one_in(2)) {
      remove(file_path(file), *old);
      make(file_path(file), node(file));
    } else {
      make(path("new"), node(file));
      exchange(path("new"), file_path(file));
      remove(path("new"), *old);
    }
  }

 private:
  NodePtr other_kind(Node::Kind kind) {
    const bool up = random_.one_in(2);
    switch (kind) {
      case Node::Kind::kFile:
        return up ? link() : directory(2);
      case Node::Kind::kDirectory:
        return up ? link() : new_content();
      case Node::Kind::kSymlink:
        return up ? directory(2) : new_content();
    }
    return nullptr;
  }

  NodePtr new_content() { return fresh_file(next_id_++); }

  NodePtr directory(size_t depth) {
    NodePtr node = new_directory();
    for (uint64_t count = random_.below(3); count > 0; --count)
      node->entries[still::formatted("f{}", random_.below(8))] = new_content();
    if (random_.one_in(3)) node->entries["link"] = link();
    if (depth > 0) node->entries["d"] = directory(depth - 1);
    node->mtime = kLongAgo;
    return node;
  }

  NodePtr link() {
    auto node = std::make_shared<Node>();
    node->kind = Node::Kind::kSymlink;
    node->target = still::formatted("target-{}", new_version());
    node->mtime = kLongAgo;
    return node;
  }

  uint64_t next_id_ = files_;
};

// Files of several names, which come and go, the first one too; written through any of them.
class HardLinks : public FilesLane {
 public:
  explicit HardLinks(const LaneSettings& settings) : FilesLane(settings, 2, kPage) {}

  void step() override {
    const size_t file = pick();
    verify_names_of(file);
    auto& names = names_[file];
    switch (random_.below(3)) {
      case 0:
        return add(file, names);
      case 1:
        return drop(file, names);
      default:
        return write(file, names);
    }
  }

  void verify_all() override {
    FilesLane::verify_all();
    for (size_t file = 0; file < files_; ++file) verify_names_of(file);
  }

 protected:
  void fill(Node& root) override {
    for (size_t file = 0; file < files_; ++file) {
      names_.push_back({link_name(file, 0)});
      root.entries[link_name(file, 0)] = fresh_file(file);
    }
  }

 private:
  static constexpr size_t kMostNames = 4;
  using Names = std::vector<std::string>;

  static std::string link_name(size_t file, size_t number) {
    return still::formatted("f{}.{}", file, number);
  }
  const std::string& any(const Names& names) { return names[random_.below(names.size())]; }

  void add(size_t file, Names& names) {
    const std::string added = link_name(file, random_.below(kMostNames));
    if (root().entries.contains(added)) return;
    const std::string existing = any(names);
    root().entries[added] = entry(existing);
    ++entry(existing)->links;
    names.push_back(added);
    check(::link(path(existing).c_str(), path(added).c_str()), "link", path(added));
  }

  // The oldest name, or any other, but never the last.
  void drop(size_t file, Names& names) {
    if (names.size() == 1) return add(file, names);
    const auto dropped = names.begin() + static_cast<std::ptrdiff_t>(
                                             random_.one_in(2) ? 0 : random_.below(names.size()));
    const std::string name = std::move(*dropped);
    --entry(name)->links;
    root().entries.erase(name);
    names.erase(dropped);
    check(unlink(path(name).c_str()), "unlink", path(name));
  }

  void write(size_t /*file*/, const Names& names) {
    Node& node = *entry(any(names));
    const size_t piece = random_.below(node.pieces.size());
    node.pieces[piece] = new_version();
    File(path(any(names)), O_WRONLY).write_piece(node, piece);
    set_mtime(path(any(names)), kLongAgo);
  }

  // Equal files do not do: they must be one. Asked twice: in a copy that was restored between two
  // looks at numbers of inodes they are others.
  void verify_names_of(size_t file) {
    const auto& names = names_[file];
    for (const auto& name : names) {
      verify_entry(name);
      if (!are_one(name, names.front()) && !are_one(name, names.front()))
        throw Inconsistent(still::formatted("{} and {} are two files, memory says one", path(name),
                                            path(names.front())));
    }
    for (size_t number = 0; number < kMostNames; ++number) {
      const std::string absent = link_name(file, number);
      if (!root().entries.contains(absent) && access(path(absent).c_str(), F_OK) == 0)
        throw Inconsistent(
            still::formatted("{} is there, memory says that it is not", path(absent)));
    }
  }

  bool are_one(const std::string& name, const std::string& other) const {
    return inode(name) == inode(other);
  }

  ino_t inode(const std::string& name) const {
    struct stat status{};
    check(lstat(path(name).c_str(), &status), "lstat", path(name));
    return status.st_ino;
  }

  std::vector<Names> names_;
};

// Whole directories move between parents, change places, and their parents do; the files in them
// never change, and have the same names, sizes and times in all of them.
class DirectoryMoves : public Lane {
 public:
  explicit DirectoryMoves(const LaneSettings& settings)
      : Lane(settings), directories_(std::max<size_t>(kParents, settings.files / 4)) {}

  void step() override {
    const size_t one = random_.below(kParents);
    const size_t other = (one + 1 + random_.below(kParents - 1)) % kParents;
    verify_entry(parent(one));
    verify_entry(parent(other));
    switch (random_.below(4)) {
      case 0:
        return swap_parents(one, other);
      case 1:
        return swap_children(one, other);
      default:
        return move(one, other);
    }
  }

 protected:
  void fill(Node& root) override {
    for (size_t number = 0; number < kParents; ++number) {
      root.entries[parent(number)] = new_directory();
      root.entries[parent(number)]->mtime = kLongAgo;
    }
    for (size_t number = 0; number < directories_; ++number)
      root.entries[parent(number % kParents)]->entries[still::formatted("d{}", number)] =
          child(number);
  }

 private:
  static constexpr size_t kParents = 4;

  static std::string parent(size_t number) { return still::formatted("p{}", number); }

  NodePtr child(size_t number) {
    NodePtr node = new_directory();
    node->mtime = kLongAgo;
    for (size_t file = 0; file < 3; ++file) {
      auto& content = node->entries[still::formatted("f{}", file)];
      content = new_file(number, {new_version()});
      content->mtime = kLongAgo;
    }
    return node;
  }

  void swap_parents(size_t one, size_t other) {
    std::swap(entry(parent(one)), entry(parent(other)));
    exchange(path(parent(one)), path(parent(other)));
  }

  void swap_children(size_t one, size_t other) {
    auto& these = entry(parent(one))->entries;
    auto& those = entry(parent(other))->entries;
    if (these.empty() || those.empty()) return move(one, other);
    auto& [this_name, this_node] = any(these);
    auto& [that_name, that_node] = any(those);
    std::swap(this_node, that_node);
    exchange(path(parent(one) + '/' + this_name), path(parent(other) + '/' + that_name));
    set_times_back(one, other);
  }

  // To a name that other directories had before.
  void move(size_t one, size_t other) {
    auto& these = entry(parent(one))->entries;
    auto& those = entry(parent(other))->entries;
    const std::string target = still::formatted("d{}", random_.below(directories_));
    if (these.empty() || those.contains(target)) return;
    const std::string source = any(these).first;
    those[target] = these.at(source);
    these.erase(source);
    rename_to(path(parent(one) + '/' + source), path(parent(other) + '/' + target));
    set_times_back(one, other);
  }

  std::map<std::string, NodePtr>::value_type& any(std::map<std::string, NodePtr>& entries) {
    return *std::next(entries.begin(), static_cast<std::ptrdiff_t>(random_.below(entries.size())));
  }

  void set_times_back(size_t one, size_t other) {
    set_mtime(path(parent(one)), kLongAgo);
    set_mtime(path(parent(other)), kLongAgo);
  }

  const size_t directories_;
};

}  // namespace

const std::map<std::string, MakeLane>& name_lanes() {
  static const std::map<std::string, MakeLane> kLanes{
      {"directory-moves", maker<DirectoryMoves>()},
      {"file-directory", maker<FileDirectory>()},
      {"hard-links", maker<HardLinks>()},
      {"swap", maker<Swap>()},
  };
  return kLanes;
}

}  // namespace workload
