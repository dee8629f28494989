#include "journal/paths.h"

#include <algorithm>

#include "base/text.h"
#include "journal/typed_step.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::journal {
namespace {

struct PrivatePath {
  static constexpr const char* kKind = "path";
  static constexpr Lasts kLasts = Lasts::kForEver;
  std::filesystem::path path;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PrivatePath, path)

std::optional<std::string> remove(const PrivatePath& step, const Interrupted&) {
  if (!path_exists(step.path)) return std::nullopt;
  unmount_below(step.path);
  remove_tree(step.path);
  return "removed " + printable(step.path.native());
}

}  // namespace

Step path_step(const std::filesystem::path& path) { return make_step(PrivatePath{path}); }

bool has_paths_left(const Entry& entry) {
  return std::ranges::any_of(entry.steps, [](const Step& step) {
    return step.kind == PrivatePath::kKind && path_exists(read_step<PrivatePath>(step).path);
  });
}

void register_undo(Undoers& undoers) { add_undo<PrivatePath>(undoers, remove); }

}  // namespace still::journal
