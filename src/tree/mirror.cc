#include "tree/mirror.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/parallel.h"
#include "os/share.h"
#include "os/walk.h"
#include "tree/mirror_state.h"

namespace still::tree {
namespace {

// While the tree changes, threads wait for disks now and then.
constexpr unsigned kFollowThreadsPerProcessor = 2;
constexpr size_t kFilesAtOnce = 16;

// Local, with times from this kernel's clock, and writing dirty pages back.
constexpr std::array<long, 5> kTellsChanges = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                               F2FS_SUPER_MAGIC, 0xca451a4e /* bcachefs */};

// Directories of one side, by path, the last one kept open: neighbours follow each other.
class DirectoryCursor {
 public:
  explicit DirectoryCursor(const Fd& root) : root_(root) {}

  // nullptr if there is no such directory, or a link leads to it.
  const Fd* at(const std::string& path) {
    if (!directory_ || path != path_) {
      directory_ = open(path);
      path_ = path;
    }
    return directory_ ? &*directory_ : nullptr;
  }

 private:
  std::optional<Fd> open(const std::string& path) const try {
    return open_directory_beneath(root_, path);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCorrupt) return std::nullopt;
    throw;
  }

  const Fd& root_;
  std::string path_;
  std::optional<Fd> directory_;
};

// One inode to be copied, or copied again.
struct Transfer {
  std::shared_ptr<CopiedFile> file;
  const ScannedDirectory* directory;  // where the source has it
  const ScannedEntry* entry;
  bool create = false;               // there is no copy yet: it gets this name
  std::vector<std::string> names{};  // further ones that it gets
  bool done = false;
  uint64_t bytes = 0;
};

bool vanished(const Error& error) {
  return error.kind() == ErrorKind::kConflict || error.error_number() == ENOENT ||
         error.error_number() == ENOTDIR || error.error_number() == ELOOP ||
         error.error_number() == ENXIO;
}

uint64_t count_entries(const std::vector<ScannedDirectory>& scan) {
  uint64_t entries = 0;
  for (const ScannedDirectory& directory : scan) entries += directory.entries.size();
  return entries;
}

}  // namespace

bool can_tell_changes(const Fd& directory) {
  struct statfs status{};
  if (::fstatfs(directory.get(), &status) != 0) {
    throw Error::system(errno, "cannot ask for the kind of a file system");
  }
  return tells_changes(status.f_type);
}

bool tells_changes(long file_system) { return std::ranges::contains(kTellsChanges, file_system); }

class Mirror::Implementation {
 public:
  Implementation(const Fd& source, const Fd& target, const Fd& spare, Precautions precautions,
                 Scratch scratch, std::stop_token stop)
      : source_(source.duplicate()),
        target_(target.duplicate()),
        spare_(spare.duplicate()),
        precautions_(precautions),
        scratch_(std::move(scratch)),
        stop_(stop),
        monitor_(std::move(stop)) {}

  PassTotals follow() {
    finishing_ = false;
    return pass({.threads = kFollowThreadsPerProcessor * processor_count(),
                 .trust = !clock_.was_set(),
                 .racy_counts = precautions_.copy_racy_again});
  }

  PassTotals finish(const std::set<ino_t>& suspects, std::chrono::nanoseconds frozen_at) {
    finishing_ = true;
    frozen_at_ = frozen_at;
    return pass({.threads = processor_count(),
                 .trust = !clock_.was_set(),
                 .racy_counts = precautions_.copy_racy_again,
                 .suspects = &suspects,
                 .still_since = frozen_at});
  }

  void check(unsigned threads, const std::stop_token& stop) {
    const auto scan = look(threads, stop);
    if (stop.stop_requested()) return;
    const Differences now = compare(state_, scan, {.threads = threads, .racy_counts = false});
    for (const auto& [directory, entry] : now.names) {
      foreign_.insert(path_in(scan[directory].path, scan[directory].entries[entry].name));
    }
    foreign_.insert(now.gone_files.begin(), now.gone_files.end());
    foreign_.insert(now.gone_directories.begin(), now.gone_directories.end());
    for (const ScannedDirectory& directory : scan) {
      const CopiedDirectory* copy = state_.directory(directory.path);
      if (copy != nullptr && copy->proof.matches(directory.status)) continue;
      foreign_.insert(shown_path(directory.path));
    }
  }

  std::vector<std::string> foreign_changes(std::chrono::nanoseconds until) const {
    std::set<std::string> all = foreign_;
    all.merge(changed_between(source_, frozen_at_, until));
    scratch_.leave_out(all, source_);
    return {all.begin(), all.end()};
  }

  std::map<std::string, uint32_t> inode_flags() const { return state_.inode_flags(); }
  bool clones() const { return cloned_ && may_clone_; }
  uint64_t copied_bytes() const { return monitor_.bytes(); }

 private:
  std::vector<ScannedDirectory> look(unsigned threads, const std::stop_token& stop) const {
    auto scan = scan_tree(source_, threads, stop, too_many_);
    if (finishing_) scratch_.leave_out(scan, frozen_at_);
    return scan;
  }

  PassTotals pass(const CompareOptions& options) {
    threads_ = options.threads;
    const auto scan = look(threads_, stop_);
    monitor_.check();
    if (const auto other = find_other_file_system(scan); finishing_ && other) {
      throw Error(
          ErrorKind::kConflict,
          printable(*other) + " has become a file system of its own, which is not captured");
    }
    Differences differences = compare(state_, scan, options);
    foreign_.insert(differences.foreign.begin(), differences.foreign.end());
    PassTotals totals{.entries = count_entries(scan)};
    totals.changed += differences.gone_files.size() + differences.gone_directories.size();

    std::vector<Transfer> transfers = plan(scan, differences, options);
    for (const std::string& path : differences.gone_files) remove_file(path);
    for (const std::string& path : differences.gone_directories) remove_directory(path);
    totals.changed += make_directories(scan);
    run(transfers);
    for (Transfer& transfer : transfers) give_names(transfer);
    totals.changed += refresh_directories(scan, options);

    for (const Transfer& transfer : transfers) {
      totals.changed += 1 + transfer.names.size();
      totals.changed_bytes += transfer.bytes;
    }
    return totals;
  }

  // --- what to do ---

  // Sorts the changed names by inode. Names that stand for something else now are added to those
  // that go; copies that are wanted under new names are held before their old ones go.
  std::vector<Transfer> plan(const std::vector<ScannedDirectory>& scan, Differences& differences,
                             const CompareOptions& options) {
    std::vector<Transfer> transfers;
    std::unordered_map<Inode, size_t, InodeHash> by_inode;
    for (const auto& [directory_index, entry_index] : differences.names) {
      const ScannedDirectory& directory = scan[directory_index];
      const ScannedEntry& entry = directory.entries[entry_index];
      const Inode inode = inode_of(entry.status);
      const bool keeps_name = settle_name(directory, entry, differences);
      const auto [known, is_new] = by_inode.try_emplace(inode, transfers.size());
      if (is_new) transfers.push_back(begin_transfer(directory, entry, options));
      Transfer& transfer = transfers[known->second];
      const bool is_first_name = is_new && transfer.create;
      if (!keeps_name && !is_first_name) {
        transfer.names.push_back(path_in(directory.path, entry.name));
      }
    }
    for (Transfer& transfer : transfers) {
      if (!transfer.create && !transfer.names.empty()) hold(*transfer.file);
    }
    return transfers;
  }

  // Whether the copy has this name for this inode, a regular file, which is then brought up to date
  // in its place. Otherwise what has the name goes.
  bool settle_name(const ScannedDirectory& directory, const ScannedEntry& entry,
                   Differences& differences) {
    const CopiedDirectory* copy = state_.directory(directory.path);
    if (copy == nullptr) return false;
    const auto found = copy->files.find(entry.name);
    if (found == copy->files.end()) return false;
    const CopiedFile& file = *found->second;
    if (file.inode == inode_of(entry.status) && file.regular && S_ISREG(entry.status.st_mode)) {
      return true;
    }
    differences.gone_files.push_back(path_in(directory.path, entry.name));
    return false;
  }

  Transfer begin_transfer(const ScannedDirectory& directory, const ScannedEntry& entry,
                          const CompareOptions& options) const {
    const bool regular = S_ISREG(entry.status.st_mode);
    Transfer transfer{
        .file = state_.file(inode_of(entry.status)), .directory = &directory, .entry = &entry};
    if (transfer.file && transfer.file->regular && regular) {
      // Moved with a directory above it, it is unchanged.
      transfer.done = is_unchanged(*transfer.file, entry.status, options);
      return transfer;
    }
    transfer.file = std::make_shared<CopiedFile>();
    transfer.file->inode = inode_of(entry.status);
    transfer.file->regular = regular;
    transfer.create = true;
    return transfer;
  }

  // --- names ---

  std::string next_spare_name() { return std::to_string(spare_count_++); }

  Fd open_target(const std::string& directory) const {
    auto opened = open_directory_beneath(target_, directory);
    if (!opened) throw Error(ErrorKind::kInternal, "a directory of the copy is gone");
    return std::move(*opened);
  }

  void link(const Fd& from, const std::string& name, const Fd& to, const std::string& new_name) {
    if (::linkat(from.get(), name.c_str(), to.get(), new_name.c_str(), 0) != 0) {
      throw Error::system(errno, "cannot make a hard link");
    }
  }

  // Keeps the copy of a file while its names go.
  void hold(CopiedFile& file) {
    if (!file.held.empty()) return;
    const auto [directory, name] = split_path(*file.places.begin());
    const std::string held = next_spare_name();
    link(open_target(directory), name, spare_, held);
    file.held = held;
  }

  // Renaming takes the same short time whatever the size.
  void move_away(const std::string& path) {
    const auto [directory, name] = split_path(path);
    const Fd parent = open_target(directory);
    if (::renameat(parent.get(), name.c_str(), spare_.get(), next_spare_name().c_str()) != 0) {
      throw Error::system(errno, "cannot remove " + printable(path) + " from the copy");
    }
  }

  void remove_file(const std::string& path) {
    move_away(path);
    state_.remove_file(path);
  }

  void remove_directory(const std::string& path) {
    move_away(path);
    state_.remove_directory(path);
  }

  uint64_t make_directories(const std::vector<ScannedDirectory>& scan) {
    uint64_t made = 0;
    for (const ScannedDirectory& directory : scan) {
      if (state_.directory(directory.path) != nullptr) continue;
      const auto [parent, name] = split_path(directory.path);
      if (::mkdirat(open_target(parent).get(), name.c_str(), 0700) != 0) {
        throw Error::system(errno, "cannot make a copy of " + printable(directory.path));
      }
      state_.add_directory(directory.path);
      ++made;
    }
    return made;
  }

  void give_names(Transfer& transfer) {
    CopiedFile& file = *transfer.file;
    if (transfer.create && transfer.done) {
      state_.add_file(transfer.file, path_in(transfer.directory->path, transfer.entry->name));
    }
    if (!transfer.create || transfer.done) {
      for (const std::string& path : transfer.names) {
        const auto [directory, name] = split_path(path);
        const bool is_held = !file.held.empty();
        const auto [first, first_name] = is_held ? PathParts{} : split_path(*file.places.begin());
        link(is_held ? spare_.duplicate() : open_target(first), is_held ? file.held : first_name,
             open_target(directory), name);
        state_.add_file(transfer.file, path);
      }
    }
    if (file.held.empty()) return;
    if (::unlinkat(spare_.get(), file.held.c_str(), 0) != 0) {
      throw Error::system(errno, "cannot let go of a held file");
    }
    file.held.clear();
  }

  // --- contents ---

  void run(std::vector<Transfer>& transfers) {
    parallel_for(transfers.size(), kFilesAtOnce, threads_, [&](size_t begin, size_t end) {
      DirectoryCursor sources(source_);
      DirectoryCursor targets(target_);
      for (size_t i = begin; i < end; ++i) {
        monitor_.check();
        if (!transfers[i].done) transfer(transfers[i], sources, targets);
      }
    });
  }

  // What vanishes or becomes something else is left for the next pass; in the last one nothing of
  // the tree's owner can, and the check afterwards tells of others.
  void transfer(Transfer& transfer, DirectoryCursor& sources, DirectoryCursor& targets) try {
    const Fd* source = sources.at(transfer.directory->path);
    const Fd* target = targets.at(transfer.directory->path);
    if (source == nullptr) return give_up(transfer);
    if (target == nullptr) {
      throw Error(ErrorKind::kInternal, "a directory of the copy is gone");
    }
    if (transfer.file->regular) {
      copy_regular(transfer, *source, *target);
    } else {
      copy_special(transfer, *source, *target);
    }
  } catch (const Error& error) {
    if (vanished(error)) {
      give_up(transfer);
      return remove_half(transfer, targets);
    }
    throw error.in(printable(path_in(transfer.directory->path, transfer.entry->name)));
  }

  static void give_up(Transfer& transfer) { transfer.file->proof = {}; }

  static void remove_half(const Transfer& transfer, DirectoryCursor& targets) {
    const Fd* target = targets.at(transfer.directory->path);
    if (!transfer.create || target == nullptr) return;
    if (::unlinkat(target->get(), transfer.entry->name.c_str(), 0) != 0 && errno != ENOENT) {
      throw Error::system(errno, "cannot remove half a copy");
    }
  }

  void copy_regular(Transfer& transfer, const Fd& source_directory, const Fd& target_directory) {
    const std::string& name = transfer.entry->name;
    const auto begun = coarse_now();
    const auto source = open_content(source_directory, name);
    if (!source) return give_up(transfer);
    if (precautions_.write_back && !finishing_) write_back(*source);
    const struct stat before = stat_fd(*source);
    if (inode_of(before) != transfer.file->inode) return give_up(transfer);
    const Metadata metadata = read_metadata(*source);
    const Fd target = transfer.create
                          ? open_at(target_directory, name, O_RDWR | O_CREAT | O_EXCL, 0600)
                          : open_copy(*transfer.file);
    transfer.bytes = copy(*source, target, static_cast<uint64_t>(before.st_size), transfer.create);
    apply_metadata(target, metadata);
    transfer.file->flags = metadata.inode_flags;
    transfer.file->proof = prove(before, begun, *source);
    transfer.done = true;
  }

  static Proof prove(const struct stat& before, std::chrono::nanoseconds begun, const Fd& source) {
    Proof proof(before, begun);
    if (!proof.matches(stat_fd(source))) proof.set_racy();
    return proof;
  }

  Fd open_copy(const CopiedFile& file) const {
    if (!file.held.empty()) return open_at(spare_, file.held, O_RDWR | O_NOFOLLOW);
    const auto [directory, name] = split_path(*file.places.begin());
    return open_at(open_target(directory), name, O_RDWR | O_NOFOLLOW);
  }

  uint64_t copy(const Fd& source, const Fd& target, uint64_t size_bytes, bool is_new) {
    if (may_clone_) {
      const CloneResult result = clone_content(source, target);
      if (result == CloneResult::kDone) {
        cloned_ = true;
        return 0;
      }
      if (result == CloneResult::kNever) may_clone_ = false;
    }
    return is_new ? copy_content(source, target, size_bytes, &monitor_)
                  : update_content(source, target, size_bytes, finishing_ ? threads_ : 1, monitor_);
  }

  static void copy_special(Transfer& transfer, const Fd& source_directory,
                           const Fd& target_directory) {
    const std::string& name = transfer.entry->name;
    const auto begun = coarse_now();
    const auto source = open_entry(source_directory, name);
    if (!source) return give_up(transfer);
    const struct stat before = stat_fd(*source);
    if (inode_of(before) != transfer.file->inode || S_ISREG(before.st_mode) ||
        S_ISDIR(before.st_mode)) {
      return give_up(transfer);
    }
    make_special(target_directory, name, *source);
    apply_metadata(open_at(target_directory, name, O_PATH | O_NOFOLLOW), read_metadata(*source));
    transfer.file->proof = prove(before, begun, *source);
    transfer.done = true;
  }

  // --- metadata of directories ---

  // Last, because names that come and go change times, and a default ACL would go over to them.
  uint64_t refresh_directories(const std::vector<ScannedDirectory>& scan,
                               const CompareOptions& options) {
    std::vector<const ScannedDirectory*> stale;
    for (const ScannedDirectory& directory : scan) {
      const CopiedDirectory* copy = state_.directory(directory.path);
      if (copy->touched || !is_proven(copy->proof, directory.status, options)) {
        stale.push_back(&directory);
      }
    }
    parallel_for(stale.size(), kFilesAtOnce, threads_, [&](size_t begin, size_t end) {
      DirectoryCursor sources(source_);
      for (size_t i = begin; i < end; ++i) refresh_directory(stale[i]->path, sources);
    });
    return stale.size();
  }

  void refresh_directory(const std::string& path, DirectoryCursor& sources) {
    CopiedDirectory& copy = *state_.directory(path);
    const auto begun = coarse_now();
    const Fd* source = sources.at(path);
    if (source == nullptr) return;  // vanished: the next pass will see it
    const struct stat before = stat_fd(*source);
    const Metadata metadata = read_metadata(*source);
    apply_metadata(open_target(path), metadata);
    copy.flags = metadata.inode_flags;
    copy.proof = prove(before, begun, *source);
    copy.touched = false;
  }

  const Fd source_;
  const Fd target_;
  const Fd spare_;
  const Precautions precautions_;
  const Scratch scratch_;
  const std::stop_token stop_;
  CopyMonitor monitor_;
  ClockWatch clock_;
  MirrorState state_;
  const size_t too_many_ = entries_that_fit();
  std::chrono::nanoseconds frozen_at_{};
  std::set<std::string> foreign_;
  uint64_t spare_count_ = 0;
  unsigned threads_ = 1;
  bool finishing_ = false;
  std::atomic<bool> may_clone_ = true;
  std::atomic<bool> cloned_ = false;
};

Mirror::Mirror(const Fd& source, const Fd& target, const Fd& spare, Precautions precautions,
               Scratch scratch, std::stop_token stop)
    : implementation_(std::make_unique<Implementation>(source, target, spare, precautions,
                                                       std::move(scratch), std::move(stop))) {}
Mirror::~Mirror() = default;

PassTotals Mirror::follow() { return implementation_->follow(); }

PassTotals Mirror::finish(const std::set<ino_t>& suspects, std::chrono::nanoseconds frozen_at) {
  return implementation_->finish(suspects, frozen_at);
}

void Mirror::check(unsigned threads, const std::stop_token& stop) {
  implementation_->check(threads, stop);
}

std::vector<std::string> Mirror::foreign_changes(std::chrono::nanoseconds until) const {
  return implementation_->foreign_changes(until);
}

std::map<std::string, uint32_t> Mirror::inode_flags() const {
  return implementation_->inode_flags();
}

uint64_t Mirror::copied_bytes() const { return implementation_->copied_bytes(); }

bool Mirror::clones() const { return implementation_->clones(); }

}  // namespace still::tree
