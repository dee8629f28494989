#include "restore/run.h"

#include "base/hooks.h"
#include "base/undo.h"
#include "criu/affinity.h"
#include "criu/configuration.h"
#include "criu/criu.h"
#include "criu/failure.h"
#include "criu/open_files.h"
#include "oci/runtime.h"
#include "os/files.h"

namespace still::restore {
namespace {

void start(subject::Restorable& container, const store::Layout& layout,
           const oci::RestoreOptions& runtime_options, const std::string& dumped_cgroup) try {
  container.start(runtime_options, dumped_cgroup);
} catch (const Error& error) {
  throw criu::explain_failure(error, oci::restore_log(runtime_options.work_directory),
                              layout.failure(container.place().id));
}

// Writes the container's CRIU configuration files.
oci::RestoreOptions runtime_options(const subject::Restorable& container,
                                    const RestoreOptions& options,
                                    const std::filesystem::path& images,
                                    const std::filesystem::path& work) {
  oci::RestoreOptions result{.image_directory = images,
                             .work_directory = work,
                             .tcp_established = options.tcp_established,
                             .tcp_close = options.tcp_close,
                             .file_locks = options.file_locks};
  const subject::Place& place = container.place();
  auto criu_options = container.runtime()->criu_options(result);
  criu_options.merge(criu::affinity_options(images));
  criu::write_configuration(place.criu_configuration, place.criu_overrides, criu_options);
  result.criu_configuration = place.criu_configuration;
  return result;
}

// CRIU would leave the locks out without a word.
void check_file_locks(const std::filesystem::path& images, const RestoreOptions& options) {
  constexpr uint64_t kEmptyImageBytes = 8;  // the magic numbers alone
  const auto image = images / "filelocks.img";
  if (options.file_locks || !path_exists(image)) return;
  if (std::filesystem::file_size(image) <= kEmptyImageBytes) return;
  throw Error(ErrorKind::kUsage, "the checkpoint holds file locks", "restore with --file-locks");
}

void check_connections(const std::filesystem::path& images, const RestoreOptions& options) {
  if (options.tcp_established || options.tcp_close || !criu::has_tcp_connections(images)) return;
  throw Error(ErrorKind::kUsage, "the checkpoint holds TCP connections",
              "restore with --tcp-established, or with --tcp-close to drop them");
}

}  // namespace

RestoreResult run_restored(subject::Restorable& container, const store::Layout& layout,
                           const std::filesystem::path& images, const std::string& dumped_cgroup,
                           const RestoreOptions& options, cut::Observer& observer,
                           const std::function<void()>& fill) {
  check_file_locks(images, options);
  check_connections(images, options);
  const subject::Place& place = container.place();
  const std::filesystem::path& work = place.restore_work;
  remove_tree(work);
  make_directory(work, 0700);
  RestoreResult result{.container_id = place.id, .container_name = place.name};
  try {
    {
      const cut::StepScope step(observer, cut::Step::kPrepare);
      container.mount();
      fill();
      hooks::reached("filled");
    }
    const cut::StepScope step(observer, cut::Step::kRestore);
    const auto begin = std::chrono::steady_clock::now();
    start(container, layout, runtime_options(container, options, images, work), dumped_cgroup);
    result.runtime_duration = std::chrono::steady_clock::now() - begin;
  } catch (const Error&) {
    undo([&] { container.unmount(); });
    throw;
  }
  result.criu = criu::read_restore_statistics(work / "stats-restore");
  if (!options.keep) remove_tree(work);
  return result;
}

}  // namespace still::restore
