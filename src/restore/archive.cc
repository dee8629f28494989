#include "base/hooks.h"
#include "cut/cancellation.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "restore/leftovers.h"
#include "restore/restore.h"
#include "restore/run.h"
#include "restore/unpacked.h"

namespace still::restore {
namespace {

void fill_volumes(const UnpackedArchive& archive, const RestoreOptions& options,
                  subject::NewContainer& made) {
  if (options.ignore_volumes) return;
  for (const std::string& name : archive.container().volumes) {
    archive.fill_volume(name, made.make_volume(name));
  }
}

}  // namespace

RestoreResult restore_archive(const std::filesystem::path& file, subject::Destination& destination,
                              const journal::Host& host, const RestoreOptions& options,
                              cut::Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  const std::string& name = options.wishes.name;
  cut::Cancellation cancellation;
  journal::Operation operation(
      host.store,
      {.operation = kOperation, .container_name = name.empty() ? file.filename().native() : name},
      [&](journal::Entry& entry) {
        entry.add(journal::path_step(host.layout.staging("restore", entry.key)));
        entry.add(made_step());
      });
  const UnpackedArchive archive = [&] {
    const cut::StepScope step(observer, cut::Step::kUnpack);
    return UnpackedArchive(file, host.layout.staging("restore", operation.key()),
                           destination.dumps(),
                           read_options(options.identity, cut::Step::kUnpack, observer));
  }();
  hooks::reached("unpacked");
  cancellation.check(cut::kNothingRestored);
  const auto made = destination.decide(archive.config_dump(), archive.privileges(), options.wishes,
                                       operation.key());

  fill_volumes(archive, options, *made);
  hooks::reached("volumes filled");
  subject::Restorable& container = made->make_container();
  hooks::reached("container made");
  cancellation.check(cut::kNothingRestored);
  const auto fill = [&] {
    const subject::Place& place = container.place();
    if (!options.ignore_rootfs) archive.fill_rootfs(place.root);
    archive.fill_shm(place.shm);
    archive.copy_log(place.log);
    cancellation.check(cut::kNothingRestored);
  };
  RestoreResult result = run_restored(container, host.layout, archive.images(),
                                      archive.dumped_cgroup(), options, observer, fill);
  hooks::reached("restored");
  cancellation.check(cut::kNothingRestored);
  has_succeeded(operation);
  made->keep();

  if (archive.manifest()) {
    result.consistent = archive.manifest()->consistent;
    result.inconsistent_because = archive.manifest()->inconsistent_because;
  }
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::restore
