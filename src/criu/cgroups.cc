#include "criu/cgroups.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "os/files.h"

namespace still::criu {
namespace {

// "/a" of the path "/still/ID/a" below "/still/ID"; nullopt for a path that is not below: a hostile
// image could name "/still/ID/../other".
std::optional<std::string> path_below(const std::string& path, const std::string& top) {
  if (top.empty() || !path.starts_with(top)) return std::nullopt;
  std::string rest = path.substr(top.size());
  if (!rest.empty() && rest[0] != '/') return std::nullopt;
  if (std::ranges::contains(split(rest, '/'), "..")) return std::nullopt;
  return rest;
}

class Mover {
 public:
  explicit Mover(const CgroupMove& move) : move_(move) {}

  void apply(messages::Cgroups& cgroups) {
    for (messages::CgroupSet& set : *cgroups.mutable_sets()) apply(set);
    messages::Cgroups kept;
    for (messages::CgroupController& controller : *cgroups.mutable_controllers()) {
      controller.clear_directories();
      const auto is_used = [&](const std::string& name) { return used_.contains(name); };
      if (std::ranges::any_of(controller.names(), is_used)) {
        kept.add_controllers()->Swap(&controller);
      }
    }
    cgroups.mutable_controllers()->Swap(kept.mutable_controllers());
  }

  std::vector<std::string> nested() const { return {nested_.begin(), nested_.end()}; }

 private:
  void apply(messages::CgroupSet& set) {
    messages::CgroupSet kept;
    for (messages::CgroupMember& member : *set.mutable_members()) {
      if (apply(member)) kept.add_members()->Swap(&member);
    }
    set.mutable_members()->Swap(kept.mutable_members());
  }

  // Whether tasks shall be moved in this hierarchy. Where not, they stay in CRIU's own cgroup.
  bool apply(messages::CgroupMember& member) {
    const auto rest = path_below(member.path(), move_.from);
    if (!rest || move_.to.empty() || !std::ranges::contains(move_.hierarchies, member.name())) {
      return false;
    }
    // On v1 a container's tasks all come into its own cgroup: runc cannot set up the devices of one
    // that has cgroups below it already.
    const bool keep_nesting = member.name().empty();
    member.set_path(keep_nesting ? move_.to + *rest : move_.to);
    if (member.namespace_prefix() > 0) {
      member.set_namespace_prefix(static_cast<uint32_t>(move_.to.size()));
    }
    for (std::string& name : split(member.name(), ',')) used_.insert(std::move(name));
    if (keep_nesting) note_nested(*rest);
    return true;
  }

  // "/a/b": "a" and "a/b".
  void note_nested(const std::string& rest) {
    for (size_t end = 1; end < rest.size(); ++end) {
      end = std::min(rest.find('/', end), rest.size());
      nested_.insert(rest.substr(1, end - 1));
    }
  }

  const CgroupMove& move_;
  std::set<std::string> used_;    // controllers of the members that are kept
  std::set<std::string> nested_;  // in byte order, so parents come first
};

}  // namespace

std::vector<std::string> move_cgroups(const std::filesystem::path& image_directory,
                                      const CgroupMove& move) {
  const auto file = image_directory / "cgroup.img";
  const auto image = read_file_if_exists(file);
  if (!image) return {};
  auto cgroups = parse_image<messages::Cgroups>(*image, kCgroupMagic, file);
  Mover mover(move);
  mover.apply(cgroups);
  write_file_atomically(file, make_image(kCgroupMagic, cgroups), 0600);
  return mover.nested();
}

}  // namespace still::criu
