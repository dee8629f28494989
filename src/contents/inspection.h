// What an archive holds, as a whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "archive/members.h"
#include "archive/reader.h"
#include "criu/process_view.h"
#include "restore/archive_checks.h"
#include "subject/destination.h"

namespace still::contents {

struct Inspection {
  archive::ArchiveContents archive;
  archive::ConfigIdentity container;
  std::string image;    // as the manifest names it, or else the container's configuration
  std::string runtime;  // the same
  std::string hostname;
  bool host_network = false;
  std::vector<std::string> bind_mounts;  // of the host: "/source:/destination"
  std::vector<std::string> devices;      // "/dev/fuse (c 10:229)"
  std::vector<std::string> ports;        // of Podman's containers: "8080:80/tcp"
  std::vector<std::string> demands;      // the flags that a restore wants (subject::DumpReader)
  std::map<std::string, restore::ArchiveChecks::TreeTotals> trees;  // by member
  uint64_t removed_paths = 0;  // from the root file system, or replaced in it
  criu::SeenContainer seen;
};

// Reads and checks the whole archive as restore::verify_archive does, with the same errors, and
// keeps what people want to know of it. At most 512 MiB of images are looked at; Error(kCorrupt)
// for more, and for images that do not belong together.
Inspection inspect_archive(const std::filesystem::path& archive, const subject::DumpReader& dumps,
                           const archive::ReadOptions& options);

}  // namespace still::contents
