#include <fcntl.h>

#include <map>
#include <utility>

#include "base/hooks.h"
#include "base/text.h"
#include "cut/cancellation.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "oci/spec.h"
#include "os/beneath.h"
#include "os/files.h"
#include "restore/leftovers.h"
#include "restore/restore.h"
#include "restore/run.h"
#include "restore/unpacked.h"

namespace still::restore {
namespace {

void require_certificate(const UnpackedArchive& archive, const RestoreOptions& options) {
  const std::string reason = archive.inconsistent_because();
  if (!options.require_certificate || reason.empty()) return;
  throw Error(ErrorKind::kUsage, "the checkpoint is not certified consistent: " + printable(reason),
              "leave --require-certificate out to restore it all the same");
}

void fill_volumes(const UnpackedArchive& archive, const RestoreOptions& options,
                  subject::NewContainer& made) {
  if (options.ignore_volumes) return;
  for (const std::string& name : archive.container().volumes) {
    archive.fill_volume(name, made.make_volume(name));
  }
}

// Where the innermost mount that the path is below has its content, and the path below it.
std::pair<std::filesystem::path, std::string> tree_of(
    const std::string& path, const subject::Place& place,
    const std::map<std::string, std::filesystem::path>& mounts) {
  std::pair tree(place.root, path.substr(1));
  size_t longest = 0;
  for (const auto& [destination, source] : mounts) {
    if (!path.starts_with(destination + "/") || destination.size() < longest) continue;
    longest = destination.size();
    tree = {source, path.substr(longest + 1)};
  }
  return tree;
}

// CRIU would follow a link on the way to a file that it makes, out of the container. What the
// kernel says of an open file has none on its way.
void check_made_paths(const std::vector<std::string>& paths, const subject::Place& place) {
  if (paths.empty()) return;
  const auto mounts = oci::bind_mounts(place.bundle);
  for (const std::string& path : paths) {
    const auto [tree, below] = tree_of(path, place, mounts);
    try {
      open_directory_beneath(open_file(tree, O_PATH), split_path(below).parent);
    } catch (const Error& error) {
      throw error.in("the deleted file " + printable(path) + " of the images");
    }
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
  require_certificate(archive, options);
  hooks::reached("unpacked");
  cancellation.check(cut::kNothingRestored);
  const auto made = destination.decide(archive.config_dump(), archive.privileges(),
                                       archive.trees(options), options.wishes, operation.key());

  fill_volumes(archive, options, *made);
  hooks::reached("volumes filled");
  subject::Restorable& container = made->make_container();
  hooks::reached("container made");
  cancellation.check(cut::kNothingRestored);
  const auto fill = [&] {
    const subject::Place& place = container.place();
    if (!options.ignore_rootfs) {
      archive.fill_rootfs(place.root);
      archive.fill_etc(place.etc);
    }
    archive.fill_shm(place.shm);
    archive.copy_log(place.log);
    check_made_paths(archive.privileges().made_paths(), place);
    cancellation.check(cut::kNothingRestored);
  };
  RestoreResult result = run_restored(container, host.layout, archive.images(),
                                      archive.dumped_cgroup(), options, observer, fill);
  hooks::reached("restored");
  cancellation.check(cut::kNothingRestored);
  has_succeeded(operation);
  made->keep();

  result.inconsistent_because = archive.inconsistent_because();
  result.consistent = result.inconsistent_because.empty();
  if (options.ignore_volumes) result.volumes_left_out = archive.container().volumes;
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::restore
