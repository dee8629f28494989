#include "tree_fixture.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>

#include "base/format.h"

namespace still::test {
namespace {

void must(long result, const std::string& what) {
  if (result < 0) throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += c > ' ' && c < 0x7f ? std::string(1, c)
                                : formatted("\\{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

std::string describe_xattrs(const char* path) {
  std::string names(size_t{64} << 10, '\0');
  const ssize_t length = ::llistxattr(path, names.data(), names.size());
  if (length <= 0) return {};
  std::map<std::string, std::string> xattrs;
  for (const char* name = names.data(); name < names.data() + length; name += strlen(name) + 1) {
    std::string value(size_t{64} << 10, '\0');
    const ssize_t size = ::lgetxattr(path, name, value.data(), value.size());
    must(size, std::string("lgetxattr ") + name);
    xattrs[name] = value.substr(0, static_cast<size_t>(size));
  }
  std::string text;
  for (const auto& [name, value] : xattrs) text += " " + escaped(name) + "=" + escaped(value);
  return text;
}

// Of the blocks that are not all zeros, with their places: holes and zeros are the same content.
size_t digest(const char* path, off_t size) {
  constexpr size_t kBlock = 4096;
  const int fd = ::open(path, O_RDONLY);
  must(fd, std::string("open ") + path);
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd,
                                                                [](const int* f) { ::close(*f); });
  size_t hash = 0;
  std::string block(kBlock, '\0');
  const std::string zeros(kBlock, '\0');
  for (off_t at = 0; at < size;) {
    at = ::lseek(fd, at, SEEK_DATA) / static_cast<off_t>(kBlock) * static_cast<off_t>(kBlock);
    if (at < 0 || errno == ENXIO) break;
    block.assign(kBlock, '\0');
    must(::pread(fd, block.data(), kBlock, at), "pread");
    if (block != zeros) hash = hash * 31 + std::hash<std::string>()(block + std::to_string(at));
    at += static_cast<off_t>(kBlock);
  }
  return hash;
}

using FirstNames = std::map<std::pair<dev_t, ino_t>, std::string>;

std::string describe_entry(const FTSENT& entry, FirstNames& first_names) {
  const struct stat& s = *entry.fts_statp;
  const std::string path = escaped(entry.fts_path);
  std::string text = formatted("{} {:o} {}:{} {}.{:09}", path, s.st_mode, s.st_uid, s.st_gid,
                               s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  if (S_ISREG(s.st_mode)) {
    errno = 0;
    text += formatted(" size={} digest={:x}", s.st_size, digest(entry.fts_accpath, s.st_size));
  }
  if (S_ISLNK(s.st_mode)) {
    std::string target(8192, '\0');
    const ssize_t length = ::readlink(entry.fts_accpath, target.data(), target.size());
    must(length, "readlink");
    text += " -> " + escaped(target.substr(0, static_cast<size_t>(length)));
  }
  if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) {
    text += formatted(" device={}:{}", major(s.st_rdev), minor(s.st_rdev));
  }
  if (!S_ISDIR(s.st_mode) && s.st_nlink > 1) {
    text += " same as " + first_names.try_emplace({s.st_dev, s.st_ino}, path).first->second;
  }
  return text + describe_xattrs(entry.fts_accpath);
}

int by_name(const FTSENT** a, const FTSENT** b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

void put_u16(std::string& bytes, unsigned value) {
  bytes += static_cast<char>(value & 0xff);
  bytes += static_cast<char>(value >> 8 & 0xff);
}

void acl_entry(std::string& acl, unsigned tag, unsigned permissions, uint32_t id) {
  put_u16(acl, tag);
  put_u16(acl, permissions);
  put_u16(acl, id & 0xffff);
  put_u16(acl, id >> 16);
}

// Everything below works relative to the current directory, so that paths can be longer than
// PATH_MAX.
class InDirectory {
 public:
  explicit InDirectory(const char* path) : back_(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    must(back_, "open .");
    must(::chdir(path), std::string("chdir ") + path);
  }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() {
    [[maybe_unused]] const int result = ::fchdir(back_);
    ::close(back_);
  }

 private:
  int back_;
};

void make_file(const char* name, const std::string& content, mode_t mode = 0644) {
  const int fd = ::open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  must(fd, std::string("open ") + name);
  must(::write(fd, content.data(), content.size()), "write");
  must(::fchmod(fd, mode), "fchmod");
  ::close(fd);
}

void make_sparse(const char* name, off_t size, const std::vector<off_t>& data_at) {
  make_file(name, {});
  const int fd = ::open(name, O_WRONLY);
  must(fd, "open");
  for (const off_t offset : data_at) must(::pwrite(fd, "data", 4, offset), "pwrite");
  must(::ftruncate(fd, size), "ftruncate");
  ::close(fd);
}

void set_xattr(const char* name, const char* key, const std::string& value) {
  must(::lsetxattr(name, key, value.data(), value.size(), 0), std::string("lsetxattr ") + key);
}

void set_time(const char* name, time_t seconds, long nanoseconds) {
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                            {.tv_sec = seconds, .tv_nsec = nanoseconds}};
  must(::utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW), std::string("utimensat ") + name);
}

void make_dir(const char* name) { must(::mkdir(name, 0755), std::string("mkdir ") + name); }
void make_link(const std::string& target, const char* name) {
  must(::symlink(target.c_str(), name), std::string("symlink ") + name);
}
void make_hard_link(const char* first, const char* name) {
  must(::link(first, name), std::string("link ") + name);
}

void make_modes() {
  make_file("setuid", "#!", 04755);
  make_file("setgid", "#!", 02750);
  make_file("nobody may", "x", 0000);
  make_file("empty", "");
  make_dir("sticky");
  make_file("sticky/inside", "inside");
  must(::chmod("sticky", 01777), "chmod");
  make_dir("setgid directory");
  must(::chmod("setgid directory", 02770), "chmod");
}

void make_links() {
  make_file("first name", "three names");
  make_dir("linked");
  make_hard_link("first name", "linked/second");
  make_hard_link("first name", "zz third");
  make_link("first name", "relative");
  make_link("/nowhere/at all", "dangling");
  make_link(std::string(4095, 'x'), "longest target");
  make_link("bytes \xff\xfe\n in it", "strange target");
  make_hard_link("relative", "another name of a link");
}

void make_names() {
  make_file("new\nline", "1");
  make_file("not utf-8 \xff\xc3\x28", "2");
  make_file("\xc3\xa4\xc3\xb6\xc3\xbc", "3");
  make_file("back\\slash", "4");
  make_file("-rf", "5");
  make_file("._resource", "6");
  make_file("percent%3D", "7");
  make_file("=equals=", "8");
  make_file(std::string(255, 'n').c_str(), "9");
  make_dir("d\xff");
  make_file("d\xff/inside", "10");
}

void make_xattrs() {
  make_file("attributes", "x");
  set_xattr("attributes", "user.plain", "value");
  set_xattr("attributes", "user.empty", "");
  set_xattr("attributes", "user.binary", std::string("\0\n=\xff", 4));
  set_xattr("attributes", "user.a=b%3D c", "name to be escaped");
  set_xattr("attributes", "user.\xc3\xa4", "not ASCII");
  set_xattr("attributes", "user.long", std::string(2000, 'v'));
  make_file("access list", "x", 0640);
  set_xattr("access list", "system.posix_acl_access", acl_for_user(1234));
  make_dir("default access list");
  set_xattr("default access list", "user.on directory", "1");
  make_file("default access list/made before", "no list", 0600);
  set_xattr("default access list", "system.posix_acl_default", acl_for_user(4321));
}

void make_sparse_files() {
  make_sparse("hole at the start", 1 << 20, {900000});
  make_sparse("hole at the end", 1 << 20, {0});
  make_sparse("many holes", 8 << 20, {0, 1 << 20, 3 << 20, 5 << 20, (8 << 20) - 4});
  make_sparse("nothing but a hole", 1234567, {});
  make_sparse("over 2 GiB", (off_t{5} << 29) + 17, {off_t{1} << 31, off_t{5} << 29});
  make_sparse("over 8 GiB", (off_t{9} << 30) + 5, {0, (off_t{9} << 30)});
}

void make_times() {
  make_file("before 1970", "x");
  set_time("before 1970", -1'000'000'000, 123456789);
  make_file("after 2106", "x");
  set_time("after 2106", 5'000'000'000, 1);
  make_file("nanoseconds", "x");
  set_time("nanoseconds", 1'700'000'000, 999'999'999);
  make_link("x", "link with a time");
  set_time("link with a time", 1'600'000'000, 42);
}

// Paths of more than PATH_MAX bytes, and many levels.
void make_deep(int levels, const std::string& name) {
  must(::mkdir(name.c_str(), 0750), "mkdir");
  const InDirectory directory(name.c_str());
  if (levels > 1) {
    make_deep(levels - 1, name);
  } else {
    make_file("at the bottom", "deep");
    make_hard_link("at the bottom", "twice");
  }
  set_time(".", 1'500'000'000 + levels, levels);
}

void make_what_needs_root() {
  make_file("large ids", "x", 04711);
  must(::chown("large ids", 3'000'000'000U, 4'000'000'000U), "chown");
  must(::chmod("large ids", 04711), "chmod");
  make_link("x", "link of another");
  must(::lchown("link of another", 7, 8), "lchown");
  must(::mknod("character device", S_IFCHR | 0620, makedev(5, 3)), "mknod");
  must(::mknod("block device", S_IFBLK | 0660, makedev(259, 300'000)), "mknod");
  // Inside an overlay whiteouts cannot be made.
  const int made = ::mknod("whiteout", S_IFCHR, makedev(0, 0));
  if (errno != EPERM) must(made, "mknod whiteout");
  make_file("trusted", "x");
  set_xattr("trusted", "trusted.still", std::string("\0secret", 7));
  set_xattr("relative", "trusted.on a link", "1");
  set_xattr("linked", "trusted.overlay.opaque", "y");
  // VFS_CAP_REVISION_2 with cap_net_raw, effective.
  make_file("capable", "x", 0755);
  set_xattr("capable", "security.capability",
            std::string("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
}

}  // namespace

std::vector<std::string> describe_tree(const std::filesystem::path& root) {
  const InDirectory directory(root.c_str());
  char start[] = ".";
  char* const starts[] = {start, nullptr};
  const std::unique_ptr<FTS, int (*)(FTS*)> walk(::fts_open(starts, FTS_PHYSICAL, by_name),
                                                 ::fts_close);
  std::vector<std::string> lines;
  FirstNames first_names;
  while (const FTSENT* entry = ::fts_read(walk.get())) {
    if (entry->fts_info == FTS_DP) continue;
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR) {
      throw std::runtime_error(std::string(entry->fts_path) + ": " +
                               std::strerror(entry->fts_errno));
    }
    lines.push_back(describe_entry(*entry, first_names));
  }
  return lines;
}

void make_nasty_tree(const std::filesystem::path& root) {
  const InDirectory directory(root.c_str());
  make_modes();
  make_links();
  make_names();
  make_xattrs();
  make_sparse_files();
  make_times();
  must(::mkfifo("pipe", 0600), "mkfifo");
  make_hard_link("pipe", "pipe again");
  make_deep(25, std::string(200, 'p'));
  make_deep(300, "d");
  if (::geteuid() == 0) make_what_needs_root();
  set_time(".", 1'400'000'000, 7);
}

uint64_t allocated(const std::filesystem::path& path) {
  struct stat status{};
  must(::lstat(path.c_str(), &status), "lstat");
  return static_cast<uint64_t>(status.st_blocks) * 512;
}

std::string acl_for_user(uint32_t uid) {
  constexpr uint32_t kNoId = 0xffffffff;
  std::string acl("\x02\0\0\0", 4);  // version
  acl_entry(acl, 0x01, 6, kNoId);    // owner
  acl_entry(acl, 0x02, 6, uid);      // this user
  acl_entry(acl, 0x04, 4, kNoId);    // owning group
  acl_entry(acl, 0x10, 6, kNoId);    // mask
  acl_entry(acl, 0x20, 0, kNoId);    // others
  return acl;
}

}  // namespace still::test
