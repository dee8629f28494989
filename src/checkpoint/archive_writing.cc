#include "checkpoint/archive_writing.h"

#include <fcntl.h>

#include "archive/deleted_files.h"
#include "archive/encryption.h"
#include "archive/members.h"
#include "archive/reader.h"
#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/some_paths.h"
#include "base/text.h"
#include "os/atomic_file.h"
#include "os/files.h"
#include "os/temp_dir.h"
#include "tree/overlay.h"

namespace still::checkpoint {
namespace {

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

tree::Removals removed_paths(const subject::Subject& subject, const std::filesystem::path& upper) {
  std::vector<Fd> lower;
  for (const auto& layer : subject.lower_layers) lower.push_back(open_directory(layer));
  return tree::removed_paths(open_directory(upper), lower, subject.engine_paths);
}

// Given back while they are read, if nobody else wants them.
void add_images(archive::ArchiveWriter& writer, const ArchiveSources& sources) {
  writer.add_files_below(name_of(archive::MemberKind::kImage), open_directory(sources.images),
                         sources.use_up_images ? archive::Reading::kUseUp : archive::Reading::kKeep,
                         subject::portable_images(sources.images, sources.portability));
}

archive::TreeTarOptions tar_options(const cut::TreePlan& tree, const cut::CapturedTree& captured,
                                    const ArchiveSources& sources) {
  const bool is_upper = tree.tree.kind == subject::TreeKind::kRootfs;
  return {.excluded = is_upper ? sources.engine_paths : std::vector<std::string>{},
          .upper_layer = is_upper,
          .inode_flags = captured.inode_flags};
}

void add_tree(archive::ArchiveWriter& writer, const cut::TreePlan& tree,
              const ArchiveSources& sources, archive::Manifest& manifest) {
  const std::string member = cut::member_of(tree.tree);
  const cut::CapturedTree& captured = sources.trees.at(member);
  archive::TreeRecord record{.name = name_of(tree.tree),
                             .member = member,
                             .method = captured.method,
                             .files = tree.found.files,
                             .bytes = tree.found.bytes,
                             .foreign_writers = captured.foreign_changes,
                             .sockets = {}};
  if (std::filesystem::is_regular_file(captured.path)) {
    const Fd file = open_file(captured.path, O_RDONLY);
    writer.add_file(member, file);
    record.privileged =
        archive::check_tree_tar(archive::file_source(file), archive::kVolumeExtraction).privileged;
  } else {
    const auto totals = writer.add_tree(member, open_directory(captured.path),
                                        tar_options(tree, captured, sources));
    record.files = totals.files;
    record.bytes = totals.size_bytes;
    record.sockets = totals.sockets;
    record.privileged = totals.privileged;
  }
  manifest.trees.push_back(std::move(record));
}

// For those that export it: in place a restore takes what it finds in the store.
void say_privileged(const archive::TreeRecord& tree, cut::Observer& observer) {
  const auto say = [&](const SomePaths& paths, const std::string& what, const std::string& flag) {
    if (paths.empty()) return;
    observer.warning(
        formatted("a restore from this archive wants --cap-add {}, or --allow-spec: "
                  "{} has {}: {}",
                  flag, tree.name, what, describe(paths)));
  };
  say(tree.privileged.devices, "device nodes", "MKNOD");
  say(tree.privileged.trusted, "attributes trusted.*", "SYS_ADMIN");
}

void add_file_if_exists(archive::ArchiveWriter& writer, const std::string& member,
                        const std::filesystem::path& path, uint64_t max_bytes = UINT64_MAX) {
  if (const auto file = open_if_exists(path, O_RDONLY)) writer.add_file(member, *file, max_bytes);
}

std::filesystem::path plain_place(const store::Layout& layout, const std::string& key) {
  return layout.staging("archive", key);
}

uint64_t expected_bytes(const Plan& plan) {
  uint64_t total = plan.memory_bytes;
  for (const cut::TreePlan& tree : plan.trees) total += tree.found.bytes;
  return total;
}

uint64_t write_plain(const std::shared_ptr<const FilePlace>& target, const Plan& plan,
                     const ArchiveSources& sources, archive::Manifest manifest,
                     cut::Cancellation& cancellation, cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kArchive);
  archive::ArchiveWriter writer(target, plan.options.compression, sources.key);
  hooks::reached("writing");
  const uint64_t total = expected_bytes(plan);
  writer.set_progress([&](uint64_t done) {
    cancellation.check();
    observer.progress(cut::Step::kArchive, done, total);
  });

  using archive::MemberKind;
  writer.add_bytes(name_of(MemberKind::kConfig), sources.config_dump);
  writer.add_bytes(name_of(MemberKind::kSpec), sources.spec_dump);
  if (!sources.network_status.empty()) {
    writer.add_bytes(name_of(MemberKind::kNetwork), sources.network_status);
  }
  add_images(writer, sources);
  if (!sources.deleted_files.empty()) {
    writer.add_bytes(name_of(MemberKind::kDeletedFiles), sources.deleted_files);
    writer.add_bytes(name_of(MemberKind::kReplacedFiles), sources.replaced_files);
  }
  for (const cut::TreePlan& tree : plan.trees) {
    add_tree(writer, tree, sources, manifest);
    if (plan.options.export_file) say_privileged(manifest.trees.back(), observer);
  }
  const std::string statistics = name_of(MemberKind::kStatistics);
  add_file_if_exists(writer, statistics, sources.work / statistics);
  add_file_if_exists(writer, name_of(MemberKind::kLog), sources.log, sources.log_bytes);
  writer.add_directory(name_of(MemberKind::kArtifacts));
  hooks::reached("complete");
  cancellation.check();
  writer.commit(std::move(manifest));
  return writer.size_bytes();
}

// Returns the size in bytes.
uint64_t encrypt(const std::filesystem::path& plain, const Plan& plan, const std::string& key,
                 cut::Cancellation& cancellation, cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kEncrypt);
  const Fd file = open_file(plain, O_RDONLY);
  const auto total = static_cast<uint64_t>(stat_fd(file).st_size);
  plan.place->check();
  AtomicFile target(plan.place, 0600, key);
  archive::encrypt_file(file, target.fd(), plan.options.recipients, [&](uint64_t done) {
    cancellation.check();
    observer.progress(cut::Step::kEncrypt, done, total);
  });
  hooks::reached("encrypted");
  const auto size_bytes = static_cast<uint64_t>(stat_fd(target.fd()).st_size);
  target.commit();
  return size_bytes;
}

}  // namespace

std::vector<std::filesystem::path> archive_traces(const Plan& plan, const store::Layout& layout,
                                                  const std::string& key) {
  auto traces = archive::ArchiveWriter::temporary_paths(plan.target, key);
  if (!plan.options.recipients.empty()) traces.push_back(plain_place(layout, key));
  return traces;
}

ArchiveSources gather_sources(const subject::Subject& subject, const store::Layout& layout,
                              const std::string& key, std::filesystem::path images,
                              std::filesystem::path work,
                              std::map<std::string, cut::CapturedTree> trees) {
  ArchiveSources sources{.images = std::move(images),
                         .portability = {.from = subject.has_cgroup ? subject.cgroup : "",
                                         .to = archived_cgroup(subject),
                                         .has_loopback_alone = subject.has_loopback_alone},
                         .work = std::move(work),
                         .trees = std::move(trees),
                         .engine_paths = subject.engine_paths,
                         .config_dump = subject.config_dump,
                         .spec_dump = subject.spec_dump,
                         .network_status = subject.network_status,
                         .deleted_files = {},
                         .replaced_files = {},
                         .log = subject.log,
                         .key = key,
                         .plain = plain_place(layout, key)};
  if (const auto rootfs = sources.trees.find(name_of(archive::MemberKind::kRootfs));
      rootfs != sources.trees.end()) {
    const tree::Removals removed = removed_paths(subject, rootfs->second.path);
    sources.deleted_files = archive::write_deleted_files(removed.gone);
    sources.replaced_files = archive::write_deleted_files(removed.replaced);
  }
  return sources;
}

uint64_t write_archive(const Plan& plan, const ArchiveSources& sources, archive::Manifest manifest,
                       cut::Cancellation& cancellation, cut::Observer& observer) try {
  if (plan.options.recipients.empty()) {
    return write_plain(plan.place, plan, sources, std::move(manifest), cancellation, observer);
  }
  const TempDir directory(sources.plain);
  const auto plain = directory.path() / "archive";
  write_plain(std::make_shared<const FilePlace>(plain), plan, sources, std::move(manifest),
              cancellation, observer);
  return encrypt(plain, plan, sources.key, cancellation, observer);
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) throw;
  throw error.in("cannot write " + printable(plan.target.native()));
}

}  // namespace still::checkpoint
