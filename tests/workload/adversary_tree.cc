#include "adversary_tree.h"

#include <dirent.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "base/format.h"

namespace workload {
namespace {

// A word of a file: which file, which piece, which version of it.
constexpr int kVersionBits = 36;
constexpr int kPieceBits = 12;
constexpr uint64_t kOdd = 0x9E37'79B9'7F4A'7C15;

uint64_t mask(int bits) { return (uint64_t{1} << bits) - 1; }

uint64_t first_word(const Node& node, size_t index) {
  return node.id << (kVersionBits + kPieceBits) | (index & mask(kPieceBits)) << kVersionBits |
         (node.pieces[index] & mask(kVersionBits));
}

// Each word of a piece is different, so that none can come from another place of it.
uint64_t expected_word(const Node& node, size_t index, size_t word) {
  return node.pieces[index] == 0 ? 0 : first_word(node, index) + word * kOdd;
}

std::string explain(uint64_t value, size_t word) {
  if (value == 0) return "zeros";
  const uint64_t first = value - word * kOdd;
  return still::formatted("version {} of piece {} of file {}", first & mask(kVersionBits),
                          first >> kVersionBits & mask(kPieceBits),
                          first >> (kVersionBits + kPieceBits));
}

bool is_about_names(int error) {
  static constexpr std::array kErrors{ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ELOOP};
  return std::ranges::find(kErrors, error) != kErrors.end();
}

template <typename Value>
void expect(const std::string& path, const char* what, const Value& found, const Value& expected) {
  if (found != expected)
    throw Inconsistent(
        still::formatted("{}: {} is {}, memory says {}", path, what, found, expected));
}

std::string text(const timespec& time) {
  return still::formatted("{}.{:09}", time.tv_sec, time.tv_nsec);
}
std::string octal(mode_t mode) { return still::formatted("{:04o}", mode); }

const char* name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kFile:
      return "file";
    case Node::Kind::kDirectory:
      return "directory";
    case Node::Kind::kSymlink:
      return "symbolic link";
  }
  return "";
}

const char* kind_of(mode_t mode) {
  if (S_ISREG(mode)) return name_of(Node::Kind::kFile);
  if (S_ISDIR(mode)) return name_of(Node::Kind::kDirectory);
  return S_ISLNK(mode) ? name_of(Node::Kind::kSymlink) : "something else";
}

void verify_content(const std::string& path, const Node& node) {
  const File file(path, O_RDONLY);
  std::vector<uint64_t> words(node.pieces.size() * node.piece_bytes / sizeof(uint64_t));
  const auto bytes = std::as_writable_bytes(std::span(words));
  const ssize_t count = pread(file.fd(), bytes.data(), bytes.size(), 0);
  check(static_cast<int>(count), "pread", path);
  expect(path, "number of bytes that can be read", static_cast<size_t>(count), bytes.size());
  const size_t piece_words = node.piece_bytes / sizeof(uint64_t);
  for (size_t index = 0; index < node.pieces.size(); ++index)
    verify_piece(std::span(words).subspan(index * piece_words, piece_words), node, index, path);
}

std::set<std::string> list(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) throw_errno("opendir", path);
  std::set<std::string> names;
  while (const dirent* entry = readdir(directory)) names.insert(entry->d_name);
  closedir(directory);
  names.erase(".");
  names.erase("..");
  return names;
}

// What is in one and not in the other, with a sign.
std::string difference(const std::set<std::string>& found, const std::set<std::string>& expected) {
  std::string text;
  for (const auto& name : found)
    if (!expected.contains(name)) text += " +" + name;
  for (const auto& name : expected)
    if (!found.contains(name)) text += " -" + name;
  return text;
}

// Read again before it is called a fault: in a copy that was restored in the middle of a listing
// the directory is another one, in which positions mean something else.
void verify_names(const std::string& path, const Node& node) {
  std::set<std::string> expected;
  for (const auto& [name, entry] : node.entries) expected.insert(name);
  if (list(path) == expected) return;
  const auto found = list(path);
  if (found != expected)
    throw Inconsistent(
        still::formatted("{}: other names than memory says:{}", path, difference(found, expected)));
}

void verify_target(const std::string& path, const Node& node) {
  std::string found(4096, '\0');
  const ssize_t count = readlink(path.c_str(), found.data(), found.size());
  check(static_cast<int>(count), "readlink", path);
  found.resize(static_cast<size_t>(count));
  expect(path, "target", found, node.target);
}

// The names of the attributes that users can set.
std::set<std::string> attribute_names(const std::string& path) {
  std::string list(65536, '\0');
  const ssize_t count = listxattr(path.c_str(), list.data(), list.size());
  check(static_cast<int>(count), "listxattr", path);
  std::set<std::string> names;
  for (const char* name = list.data(); name < list.data() + count;) {
    const std::string whole = name;
    if (whole.starts_with("user.")) names.insert(whole);
    name += whole.size() + 1;
  }
  return names;
}

void verify_attributes(const std::string& path, const Node& node) {
  std::set<std::string> expected;
  for (const auto& [name, value] : *node.attributes) expected.insert(name);
  if (const auto found = attribute_names(path); found != expected)
    throw Inconsistent(still::formatted("{}: other attributes than memory says:{}", path,
                                        difference(found, expected)));
  for (const auto& [name, value] : *node.attributes) {
    std::string found(4096, '\0');
    const ssize_t count = getxattr(path.c_str(), name.c_str(), found.data(), found.size());
    check(static_cast<int>(count), "getxattr", path);
    found.resize(static_cast<size_t>(count));
    expect(path, name.c_str(), found, value);
  }
}

void verify_status(const std::string& path, const Node& node) {
  struct stat status{};
  check(lstat(path.c_str(), &status), "lstat", path);
  expect<std::string>(path, "kind", kind_of(status.st_mode), name_of(node.kind));
  expect(path, "owner", status.st_uid, node.owner);
  expect(path, "group", status.st_gid, node.group);
  if (node.kind != Node::Kind::kSymlink)
    expect(path, "mode", octal(status.st_mode & 07777), octal(node.mode));
  if (node.kind == Node::Kind::kFile) {
    expect(path, "number of links", status.st_nlink, node.links);
    expect(path, "size", static_cast<size_t>(status.st_size),
           node.pieces.size() * node.piece_bytes);
  }
  if (node.mtime) expect(path, "mtime", text(status.st_mtim), text(*node.mtime));
}

}  // namespace

NodePtr new_file(uint64_t id, std::vector<uint64_t> pieces, size_t piece_bytes) {
  auto node = std::make_shared<Node>();
  node->id = id;
  node->pieces = std::move(pieces);
  node->piece_bytes = piece_bytes;
  return node;
}

NodePtr new_directory() {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::kDirectory;
  node->mode = 0755;
  return node;
}

void throw_errno(const char* call, const std::string& path) {
  const std::error_code code(errno, std::generic_category());
  if (!is_about_names(code.value()))
    throw std::system_error(code, still::formatted("{} {}", call, path));
  throw Inconsistent(
      still::formatted("{}: other names than memory says: {}: {}", path, call, code.message()));
}

File::File(std::string path, int flags)
    : path_(std::move(path)), fd_(open(path_.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0644)) {
  check(fd_, "open", path_);
}

File::~File() { close(fd_); }

void File::write_piece(const Node& node, size_t index) const {
  std::array<uint64_t, 512> words;
  fill_piece(std::span(words).first(node.piece_bytes / sizeof(uint64_t)), node, index);
  const auto offset = static_cast<off_t>(index * node.piece_bytes);
  const ssize_t count = pwrite(fd_, words.data(), node.piece_bytes, offset);
  check(static_cast<int>(count), "pwrite", path_);
  if (static_cast<size_t>(count) != node.piece_bytes)
    throw std::system_error(ENOSPC, std::generic_category(), "pwrite " + path_);
}

void File::append_piece(const Node& node, size_t index) const {
  std::array<uint64_t, 512> words;
  fill_piece(std::span(words).first(node.piece_bytes / sizeof(uint64_t)), node, index);
  const ssize_t count = write(fd_, words.data(), node.piece_bytes);
  check(static_cast<int>(count), "write", path_);
  if (static_cast<size_t>(count) != node.piece_bytes)
    throw std::system_error(ENOSPC, std::generic_category(), "write " + path_);
}

void set_mtime(const std::string& path, const timespec& time) {
  const std::array<timespec, 2> times{time, time};
  check(utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), "utimensat", path);
}

void make(const std::string& path, const Node& node) {
  switch (node.kind) {
    case Node::Kind::kFile: {
      const File file(path, O_WRONLY | O_CREAT | O_EXCL);
      for (size_t index = 0; index < node.pieces.size(); ++index) file.write_piece(node, index);
      break;
    }
    case Node::Kind::kDirectory:
      check(mkdir(path.c_str(), 0755), "mkdir", path);
      for (const auto& [name, entry] : node.entries) make(path + '/' + name, *entry);
      break;
    case Node::Kind::kSymlink:
      check(symlink(node.target.c_str(), path.c_str()), "symlink", path);
      break;
  }
  if (node.mtime) set_mtime(path, *node.mtime);
}

void remove(const std::string& path, const Node& node) {
  if (node.kind != Node::Kind::kDirectory) return check(unlink(path.c_str()), "unlink", path);
  for (const auto& [name, entry] : node.entries) remove(path + '/' + name, *entry);
  check(rmdir(path.c_str()), "rmdir", path);
}

void fill_piece(std::span<uint64_t> words, const Node& node, size_t index) {
  for (size_t word = 0; word < words.size(); ++word) words[word] = expected_word(node, index, word);
}

void verify_piece(std::span<const uint64_t> found, const Node& node, size_t index,
                  const std::string& path) {
  for (size_t word = 0; word < found.size(); ++word) {
    const uint64_t expected = expected_word(node, index, word);
    if (found[word] == expected) continue;
    throw Inconsistent(still::formatted("{}: word {} of piece {} is {}, memory says {}", path, word,
                                        index, explain(found[word], word),
                                        explain(expected, word)));
  }
}

void verify(const std::string& path, const Node& node) {
  verify_status(path, node);
  if (node.attributes) verify_attributes(path, node);
  switch (node.kind) {
    case Node::Kind::kFile:
      return verify_content(path, node);
    case Node::Kind::kSymlink:
      return verify_target(path, node);
    case Node::Kind::kDirectory:
      break;
  }
  verify_names(path, node);
  for (const auto& [name, entry] : node.entries) verify(path + '/' + name, *entry);
}

}  // namespace workload
