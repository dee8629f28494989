#include "engine/image/whiteouts.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include "base/error.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/walk.h"

namespace still::engine {
namespace {

// OCI image layer filesystem changeset, "Whiteouts".
constexpr std::string_view kPrefix = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kReserved = ".wh..wh.";  // of aufs: nothing that a container should see

// Whiteout entries by the path of their directory.
std::map<std::string, std::vector<std::string>> find_whiteouts(const Fd& root) {
  std::map<std::string, std::vector<std::string>> found;
  walk_tree(root, {}, [&](const WalkEntry& entry) {
    if (entry.kind == WalkEntry::kOther && entry.name.starts_with(kPrefix)) {
      found[split_path(entry.path).parent].push_back(entry.name);
    }
  });
  return found;
}

void make_whiteout(const Fd& directory, const std::string& name) {
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorKind::kCorrupt, "an image layer removes what has no name");
  }
  if (stat_at(directory, name)) return;  // the layer has an entry of that name itself
  if (::mknodat(directory.get(), name.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
    throw Error::system(errno, "cannot make a whiteout");
  }
}

void convert(const Fd& directory, const std::string& name, Metadata& metadata) {
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0) {
    throw Error::system(errno, "cannot remove a whiteout");
  }
  if (name == kOpaque) {
    metadata.xattrs[std::string(kOverlayXattrPrefix) + "opaque"] = "y";
  } else if (!name.starts_with(kReserved)) {
    make_whiteout(directory, name.substr(kPrefix.size()));
  }
}

}  // namespace

void convert_whiteouts(const Fd& root) {
  for (const auto& [path, names] : find_whiteouts(root)) {
    const auto directory = open_directory_beneath(root, path);
    if (!directory) continue;
    Metadata metadata = read_metadata(*directory);
    for (const std::string& name : names) convert(*directory, name, metadata);
    apply_metadata(*directory, metadata);  // its times, too: they are the image's
  }
}

}  // namespace still::engine
