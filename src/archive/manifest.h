// still.json, the manifest of a checkpoint archive. docs/archive-format.md describes every key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/clock.h"
#include "os/privileged_entries.h"

namespace still::archive {

// Version 1. A reader refuses a greater one.
inline constexpr int kFormatVersion = 1;

inline constexpr const char* kManifestMember = "still.json";

struct TreeRecord {
  std::string name;    // "rootfs", "volume:NAME", "devshm"
  std::string member;  // archive member with the content
  std::string method;  // how it was captured: tree/capture.h, or "in-place"
  uint64_t files = 0;
  uint64_t bytes = 0;
  // Paths in the tree; in the manifest, and when read from there, in the form of printable(),
  // because JSON holds text and names are bytes.
  std::vector<std::string> foreign_writers;  // that something outside the container changed
  std::vector<std::string> sockets;          // which a tar file cannot hold
  // What a restore asks its caller for. Absent in archives of before.
  PrivilegedEntries privileged{};
};

// The content of a link is its target; that of a directory, whose name ends in a slash, is empty.
struct MemberRecord {
  uint64_t size_bytes = 0;
  std::string sha256;  // lower-case hex of the content
};

struct Manifest {
  int format_version = kFormatVersion;
  std::string engine = "still";  // that made the container
  std::string container_id;
  std::string container_name;
  std::string image;  // name or id of the base image, "rootfs:PATH" for --rootfs
  std::string runtime;
  std::map<std::string, std::string> versions;  // still, criu, runtime, conmon, kernel
  std::string architecture;                     // uname -m
  std::string cgroup_version;                   // "v1", "v2" or "none"
  // Where the container lived, as a path below the hierarchies' mounts; empty: it had none of its
  // own. Absent in archives of the first version of Still.
  std::optional<std::string> cgroup;
  bool live = false;  // --leave-running
  bool consistent = false;
  std::string inconsistent_because;  // empty when consistent
  // Processes that exec had brought into the container and that are not in the images, "12
  // (sleep)".
  std::vector<std::string> left_out;
  std::string memory_cut;          // "protect", "fork" or "stock", of a live checkpoint
  std::string memory_cut_because;  // why "stock"; empty if it is not
  // Zero where there was no such moment (no freeze by Still on the default path).
  Instant frozen, dump_start, dump_end, cut_end, thawed;
  std::chrono::nanoseconds pause{};
  std::vector<TreeRecord> trees;
  std::map<std::string, MemberRecord> members;  // every member but still.json itself
};

std::string to_json(const Manifest& manifest);
// Throws Error(kCorrupt) for text that is no manifest, Error(kUnsupported) for one of a version
// that this Still does not read.
Manifest parse_manifest(std::string_view json);

}  // namespace still::archive
