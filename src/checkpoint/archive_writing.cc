#include "checkpoint/archive_writing.h"

#include <fcntl.h>

#include "archive/encryption.h"
#include "base/error.h"
#include "base/hooks.h"
#include "base/text.h"
#include "checkpoint/archive_members.h"
#include "os/atomic_file.h"
#include "os/files.h"
#include "os/temp_dir.h"
#include "tree/overlay.h"

namespace still::checkpoint {
namespace {

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::string deleted_files(const engine::Container& container, const std::filesystem::path& upper) {
  std::vector<Fd> lower;
  for (const auto& layer : container.lower_layers()) lower.push_back(open_directory(layer));
  return write_deleted_files(tree::removed_paths(open_directory(upper), lower, engine_paths()));
}

archive::TreeTarOptions tar_options(const TreePlan& tree) {
  return {.excluded = tree.upper_layer ? engine_paths() : std::vector<std::string>{},
          .upper_layer = tree.upper_layer};
}

void add_tree(archive::ArchiveWriter& writer, const TreePlan& tree,
              const cut::CapturedTree& captured, archive::Manifest& manifest) {
  archive::TreeRecord record{.name = tree.name,
                             .member = tree.member,
                             .method = captured.method,
                             .files = tree.found.files,
                             .bytes = tree.found.bytes,
                             .foreign_writers = captured.foreign_changes,
                             .sockets = {}};
  if (std::filesystem::is_regular_file(captured.path)) {
    writer.add_file(tree.member, open_file(captured.path, O_RDONLY));
  } else {
    const auto totals =
        writer.add_tree(tree.member, open_directory(captured.path), tar_options(tree));
    record.files = totals.files;
    record.bytes = totals.size_bytes;
    record.sockets = totals.sockets;
  }
  manifest.trees.push_back(std::move(record));
}

void add_file_if_exists(archive::ArchiveWriter& writer, const std::string& member,
                        const std::filesystem::path& path, uint64_t max_bytes = UINT64_MAX) {
  if (const auto file = open_if_exists(path, O_RDONLY)) writer.add_file(member, *file, max_bytes);
}

std::filesystem::path plain_place(const engine::Layout& layout, const std::string& key) {
  return layout.staging("archive", key);
}

uint64_t expected_bytes(const Plan& plan) {
  uint64_t total = plan.memory_bytes;
  for (const TreePlan& tree : plan.trees) total += tree.found.bytes;
  return total;
}

uint64_t write_plain(const std::filesystem::path& target, const Plan& plan,
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

  writer.add_bytes(kConfigMember, sources.config_dump);
  writer.add_bytes(kSpecMember, sources.spec_dump);
  writer.add_files_below(
      kImagesMember, open_directory(sources.images),
      sources.use_up_images ? archive::Reading::kUseUp : archive::Reading::kKeep);
  if (!sources.deleted_files.empty()) writer.add_bytes(kDeletedMember, sources.deleted_files);
  for (const TreePlan& tree : plan.trees) {
    add_tree(writer, tree, sources.trees.at(tree.member), manifest);
  }
  add_file_if_exists(writer, kStatisticsMember, sources.work / kStatisticsMember);
  add_file_if_exists(writer, kLogMember, sources.log, sources.log_bytes);
  writer.add_directory("artifacts");
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
  AtomicFile target(plan.target, 0600, key);
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

std::vector<std::filesystem::path> archive_traces(const Plan& plan, const engine::Layout& layout,
                                                  const std::string& key) {
  auto traces = archive::ArchiveWriter::temporary_paths(plan.target, key);
  if (!plan.options.recipients.empty()) traces.push_back(plain_place(layout, key));
  return traces;
}

ArchiveSources gather_sources(const engine::Container& container, const Plan& plan,
                              const engine::Layout& layout, const std::string& key,
                              std::filesystem::path images, std::filesystem::path work,
                              std::map<std::string, cut::CapturedTree> trees) {
  ArchiveSources sources{.images = std::move(images),
                         .work = std::move(work),
                         .trees = std::move(trees),
                         .config_dump = write_config_dump(container),
                         .spec_dump = write_spec_dump(container),
                         .deleted_files = {},
                         .log = container.paths().log(),
                         .key = key,
                         .plain = plain_place(layout, key)};
  if (!plan.options.ignore_rootfs) {
    sources.deleted_files = deleted_files(container, sources.trees.at(kRootfsMember).path);
  }
  return sources;
}

uint64_t write_archive(const Plan& plan, const ArchiveSources& sources, archive::Manifest manifest,
                       cut::Cancellation& cancellation, cut::Observer& observer) try {
  if (plan.options.recipients.empty()) {
    return write_plain(plan.target, plan, sources, std::move(manifest), cancellation, observer);
  }
  const TempDir directory(sources.plain);
  const auto plain = directory.path() / "archive";
  write_plain(plain, plan, sources, std::move(manifest), cancellation, observer);
  return encrypt(plain, plan, sources.key, cancellation, observer);
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) throw;
  throw error.in("cannot write " + printable(plan.target.native()));
}

}  // namespace still::checkpoint
