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

constexpr const char* kCgroupFile = "cgroup.img";

// "/a" of the path "/still/ID/a" below "/still/ID"; nullopt for a path that is not below: a hostile
// image could name "/still/ID/../other".
std::optional<std::string> path_below(const std::string& path, const std::string& top) {
  if (top.empty() || !path.starts_with(top)) return std::nullopt;
  std::string rest = path.substr(top.size());
  if (!rest.empty() && rest[0] != '/') return std::nullopt;
  if (std::ranges::contains(split(rest, '/'), "..")) return std::nullopt;
  return rest;
}

// The container's cgroup is one directory, as CRIU itself has it: where the runtime names another
// one for it ("--cgroup-root"), CRIU puts that in its place.
void add_directories(messages::CgroupController& controller, const std::string& top,
                     const std::set<std::string>& nested) {
  messages::CgroupDirectory& directory = *controller.add_directories();
  directory.set_name(top.substr(1));
  for (const std::string& path : nested) {
    auto* list = directory.mutable_children();
    for (const std::string& name : split(path.substr(1), '/')) {
      auto there = std::ranges::find(*list, name, &messages::CgroupDirectory::name);
      messages::CgroupDirectory* child = there == list->end() ? list->Add() : &*there;
      child->set_name(name);
      list = child->mutable_children();
    }
  }
}

class Mover {
 public:
  explicit Mover(const CgroupMove& move) : move_(move) {
    if (move.from.empty() || move.to.empty()) return;
    // A machine that has v1 beside v2 (a "hybrid" one) has the controllers, and with them the
    // limits, on v1; not every runtime makes a cgroup of v2 there.
    const bool has_v1 = std::ranges::any_of(move.hierarchies,
                                            [](const std::string& name) { return !name.empty(); });
    for (const std::string& name : move.hierarchies) {
      if (!name.empty() || !has_v1) required_.insert(name);
    }
  }

  void apply(messages::Cgroups& cgroups) {
    for (messages::CgroupSet& set : *cgroups.mutable_sets()) apply(set);
    messages::Cgroups kept;
    for (messages::CgroupController& controller : *cgroups.mutable_controllers()) {
      controller.clear_directories();
      if (take_hierarchy_of(controller)) kept.add_controllers()->Swap(&controller);
    }
    for (const std::string& hierarchy : used_) {
      messages::CgroupController& controller = *kept.add_controllers();
      for (const std::string& name : split(hierarchy, ',')) controller.add_names(name);
    }
    cgroups.mutable_controllers()->Swap(kept.mutable_controllers());
  }

  std::vector<std::string> nested() const { return {nested_.begin(), nested_.end()}; }

 private:
  // CRIU relies on it that all sets name the same hierarchies.
  void apply(messages::CgroupSet& set) {
    messages::CgroupSet placed;
    if (move_.to.empty()) return void(set.clear_members());
    for (const std::string& hierarchy : move_.hierarchies) {
      const auto& members = set.members();
      const auto there = std::ranges::find_if(members, [&](const messages::CgroupMember& member) {
        return member.name() == hierarchy && path_below(member.path(), move_.from).has_value();
      });
      if (there == members.end() && !required_.contains(hierarchy)) continue;
      auto& member = *placed.add_members();
      if (there != members.end()) member = *there;
      place(member, hierarchy);
    }
    set.mutable_members()->Swap(placed.mutable_members());
  }

  void place(messages::CgroupMember& member, const std::string& hierarchy) {
    // On v1 a container's tasks all come into its own cgroup: runc cannot set up the devices of one
    // that has cgroups below it already.
    const std::string rest =
        hierarchy.empty() ? path_below(member.path(), move_.from).value_or("") : "";
    member.set_name(hierarchy);
    member.set_path(move_.to + rest);
    if (member.namespace_prefix() > 0) {
      member.set_namespace_prefix(static_cast<uint32_t>(move_.to.size()));
    }
    used_.insert(hierarchy);
    note_nested(rest);
  }

  // Whether the controller is one of a hierarchy that is used and had none yet.
  bool take_hierarchy_of(const messages::CgroupController& controller) {
    return std::erase_if(used_, [&](const std::string& hierarchy) {
             return std::ranges::any_of(split(hierarchy, ','), [&](const std::string& name) {
               return std::ranges::contains(controller.names(), name);
             });
           }) > 0;
  }

  // "/a/b": "a" and "a/b".
  void note_nested(const std::string& rest) {
    for (size_t end = 1; end < rest.size(); ++end) {
      end = std::min(rest.find('/', end), rest.size());
      nested_.insert(rest.substr(1, end - 1));
    }
  }

  const CgroupMove& move_;
  std::set<std::string> required_;  // hierarchies that every task has its place in
  std::set<std::string> used_;      // of the members, as far as they have no controllers yet
  std::set<std::string> nested_;    // in byte order, so parents come first
};

}  // namespace

std::vector<std::string> move_cgroups(const std::filesystem::path& image_directory,
                                      const CgroupMove& move) {
  const auto file = image_directory / kCgroupFile;
  const auto image = read_file_if_exists(file);
  if (!image) return {};
  auto cgroups = parse_image<messages::Cgroups>(*image, kCgroupImage, file);
  Mover mover(move);
  mover.apply(cgroups);
  write_file_atomically(file, make_image(kCgroupImage, cgroups), 0600);
  return mover.nested();
}

std::map<std::string, std::string> own_cgroups(const std::filesystem::path& image_directory,
                                               const std::string& from, const std::string& to) {
  const auto file = image_directory / kCgroupFile;
  const auto image = read_file_if_exists(file);
  if (!image) return {};
  auto cgroups = parse_image<messages::Cgroups>(*image, kCgroupImage, file);
  std::map<std::string, std::set<std::string>> nested;  // paths below the top, by hierarchy
  for (messages::CgroupSet& set : *cgroups.mutable_sets()) {
    messages::CgroupSet kept;
    for (messages::CgroupMember& member : *set.mutable_members()) {
      const auto rest = to.empty() ? std::nullopt : path_below(member.path(), from);
      if (!rest) continue;
      member.set_path(to + *rest);
      if (member.namespace_prefix() > 0) {
        member.set_namespace_prefix(static_cast<uint32_t>(to.size()));
      }
      auto& paths = nested[member.name()];
      if (!rest->empty()) paths.insert(*rest);
      kept.add_members()->Swap(&member);
    }
    set.mutable_members()->Swap(kept.mutable_members());
  }
  cgroups.clear_controllers();
  for (const auto& [hierarchy, paths] : nested) {
    messages::CgroupController& controller = *cgroups.add_controllers();
    for (const std::string& name : split(hierarchy, ',')) controller.add_names(name);
    add_directories(controller, to, paths);
  }
  return {{kCgroupFile, make_image(kCgroupImage, cgroups)}};
}

}  // namespace still::criu
