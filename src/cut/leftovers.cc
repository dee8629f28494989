#include "cut/leftovers.h"

#include "base/error.h"
#include "base/format.h"
#include "cgroup/borrowed.h"
#include "cgroup/container_cgroup.h"
#include "journal/typed_step.h"
#include "memory/fork_copy.h"
#include "os/files.h"
#include "subject/processes.h"

namespace still::cut {
namespace {

using journal::Interrupted;
using journal::Lasts;
using Words = std::optional<std::string>;

struct FrozenCgroup {
  static constexpr const char* kKind = kFrozenStep;
  static constexpr Lasts kLasts = Lasts::kUntilReboot;
  ProcessIdentity init;
  std::string version;  // "v1", "v2"
  std::filesystem::path directory;
  uint64_t inode = 0;  // of the directory: a cgroup made anew is another one
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(FrozenCgroup, init, version, directory, inode)

// Null if there is nothing to thaw.
std::unique_ptr<cgroup::Freezer> find_frozen(const FrozenCgroup& cgroup) try {
  if (!is_alive(cgroup.init)) return nullptr;
  const auto version = cgroup.version == "v1" ? cgroup::Version::kV1 : cgroup::Version::kV2;
  auto freezer = cgroup::Freezer::open({version, cgroup.directory.native(), cgroup.directory});
  if (freezer->inode() != cgroup.inode || !freezer->state().requested) return nullptr;
  return freezer;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return nullptr;
  throw;
}

Words thaw(const FrozenCgroup& cgroup, const Interrupted& interrupted) {
  const auto freezer = find_frozen(cgroup);
  if (!freezer) return std::nullopt;
  freezer->request(false);
  const std::string& id = interrupted.container_id();
  return id == interrupted.entry.container_id ? "thawed it" : "thawed " + id.substr(0, 12);
}

struct LentCgroup {
  static constexpr const char* kKind = "lent cgroup";
  static constexpr Lasts kLasts = Lasts::kUntilReboot;
  std::filesystem::path directory, home;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(LentCgroup, directory, home)

Words take_back(const LentCgroup& lent, const Interrupted&) {
  cgroup::dissolve_cgroup(lent.directory, lent.home);
  return std::nullopt;
}

struct ShelterCgroup {
  static constexpr const char* kKind = "shelter";
  static constexpr Lasts kLasts = Lasts::kUntilReboot;
  std::string path;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ShelterCgroup, path)

Words remove_shelter(const ShelterCgroup& shelter, const Interrupted&) {
  cgroup::remove_cgroups(shelter.path);
  return std::nullopt;
}

struct Copies {
  static constexpr const char* kKind = "copies";
  static constexpr Lasts kLasts = Lasts::kUntilReboot;
  std::filesystem::path images;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Copies, images)

Words collect(const Copies& copies, const Interrupted& interrupted) {
  const ProcessIdentity& init = interrupted.entry.init;
  // Before the images are complete nothing is forked.
  if (!path_exists(copies.images / "inventory.img") || !is_alive(init)) return std::nullopt;
  const size_t count =
      memory::ForkCopy::collect_abandoned(subject::processes_of(init.pid, nullptr), copies.images);
  if (count == 0) return std::nullopt;
  return formatted("collected {} copies of its processes", count);
}

}  // namespace

journal::Step frozen_step(const subject::Subject& subject, const cgroup::Freezer& freezer) {
  return journal::make_step(FrozenCgroup{.init = subject.init,
                                         .version = cgroup::to_string(freezer.version()),
                                         .directory = freezer.directory(),
                                         .inode = freezer.inode()},
                            subject.id);
}

journal::Step lent_cgroup_step(const std::filesystem::path& directory,
                               const std::filesystem::path& home) {
  return journal::make_step(LentCgroup{.directory = directory, .home = home});
}

std::string shelter_path(const std::string& key) { return "/still/guard-" + key; }

journal::Step shelter_step(const std::string& path) {
  return journal::make_step(ShelterCgroup{path});
}

journal::Step copies_step(const std::filesystem::path& images) {
  return journal::make_step(Copies{images});
}

void register_undo(journal::Undoers& undoers) {
  journal::add_undo<FrozenCgroup>(undoers, thaw);
  journal::add_undo<LentCgroup>(undoers, take_back);
  journal::add_undo<ShelterCgroup>(undoers, remove_shelter);
  journal::add_undo<Copies>(undoers, collect);
}

}  // namespace still::cut
