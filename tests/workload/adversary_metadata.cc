// A lane that changes what is said of files, never what is in them.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>

#include "adversary_lanes.h"
#include "base/format.h"

namespace workload {
namespace {

// Modes, owners, attributes and times of files and directories. The time of modification stays
// where it was, or goes anywhere.
class Metadata : public Lane {
 public:
  explicit Metadata(const LaneSettings& settings) : Lane(settings), files_(settings.files) {}

  void step() override {
    const std::string name = still::formatted("n{}", random_.below(files_));
    verify_entry(name);
    Node& node = *entry(name);
    switch (random_.below(4)) {
      case 0:
        return change_mode(path(name), node);
      case 1:
        return change_owner(path(name), node);
      case 2:
        return change_attribute(path(name), node);
      default:
        return change_time(path(name), node);
    }
  }

 protected:
  // Every other one is a directory with a file in it.
  void fill(Node& root) override {
    for (size_t number = 0; number < files_; ++number) {
      auto& node = root.entries[still::formatted("n{}", number)];
      node = number % 2 == 0 ? new_file(number, {new_version()}) : new_directory();
      if (number % 2 != 0) node->entries["inside"] = new_file(number, {new_version()});
      node->mtime = kLongAgo;
      node->attributes.emplace();
    }
  }

 private:
  void change_mode(const std::string& path, Node& node) {
    node.mode = static_cast<mode_t>(random_.below(01000));
    check(chmod(path.c_str(), node.mode), "chmod", path);
  }

  // Only root can give files away.
  void change_owner(const std::string& path, Node& node) {
    if (geteuid() != 0) return change_mode(path, node);
    node.owner = static_cast<uid_t>(random_.below(1000));
    node.group = static_cast<gid_t>(random_.below(1000));
    check(chown(path.c_str(), node.owner, node.group), "chown", path);
  }

  void change_attribute(const std::string& path, Node& node) {
    const std::string attribute = still::formatted("user.a{}", random_.below(4));
    if (node.attributes->contains(attribute) && random_.one_in(3)) {
      node.attributes->erase(attribute);
      return check(removexattr(path.c_str(), attribute.c_str()), "removexattr", path);
    }
    // Of one length, so that the size does not tell; seldom of another.
    auto& value = (*node.attributes)[attribute];
    value = still::formatted("{:016x}", new_version());
    if (random_.one_in(8)) value.append(random_.below(200), 'x');
    check(setxattr(path.c_str(), attribute.c_str(), value.data(), value.size(), 0), "setxattr",
          path);
  }

  void change_time(const std::string& path, Node& node) {
    node.mtime = timespec{static_cast<time_t>(kLongAgo.tv_sec + random_.below(1'000)),
                          static_cast<long>(random_.below(1'000'000'000))};
    set_mtime(path, *node.mtime);
  }

  const size_t files_;
};

}  // namespace

const std::map<std::string, MakeLane>& metadata_lanes() {
  static const std::map<std::string, MakeLane> kLanes{{"metadata", maker<Metadata>()}};
  return kLanes;
}

}  // namespace workload
