// What CRIU's images say of the processes in them, for people to look at. The images are not
// trusted, and come one by one in any order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace still::criu {

// Mappings of one kind: "anonymous", "heap", "stack", "file", "shared file", "shared", "memfd",
// "kernel", "other".
struct MemorySum {
  uint64_t mappings = 0;
  uint64_t mapped_bytes = 0;
  uint64_t stored_bytes = 0;  // of pages that are in the images

  MemorySum& operator+=(const MemorySum& other);
};

struct SeenDescriptor {
  uint32_t number = 0;
  std::string kind;  // "file", "pipe", "tcp", "udp", "unix", "terminal", "epoll", ...
  std::string
      name;  // bytes: path, "0.0.0.0:80", "10.0.0.1:80 -> 10.0.0.2:4711"; empty: it has none
};

struct SeenProcess {
  uint32_t pid = 0;  // in the container's pid namespace
  uint32_t parent = 0;
  uint32_t depth = 0;  // in the tree: 0 is one whose parent is not among them
  uint64_t threads = 0;
  std::string name;
  std::string state;    // "running", "stopped", "zombie"
  std::string program;  // its path; empty: unknown
  // Bytes, at most 4 KiB of them. Empty if its pages are not in the images, or came before what
  // says where they are, as in no archive that Still or Podman writes.
  std::vector<std::string> command_line;
  std::map<std::string, MemorySum> memory;  // by kind
  std::vector<SeenDescriptor> descriptors;  // by number
};

struct SeenContainer {
  std::vector<SeenProcess> processes;  // each behind its parent, siblings by number
  uint64_t shared_bytes = 0;           // of memory that processes share, stored once
  bool has_tcp_connections = false;    // for which a restore wants to be told what to do
  uint64_t file_locks = 0;
};

class ProcessView {
 public:
  ProcessView();
  ProcessView(const ProcessView&) = delete;
  ProcessView& operator=(const ProcessView&) = delete;
  ~ProcessView();

  // Whether add() looks at an image of this name; pages are for pages().
  static bool wants(std::string_view file);
  static bool is_pages(std::string_view file);

  // Throws Error(kCorrupt) naming the file if it is no image of its kind.
  void add(const std::string& file, std::string_view content);

  // To be given the content of a pages-N.img in order. The object must outlive it.
  std::function<void(std::string_view)> pages(std::string_view file);

  // Throws Error(kCorrupt) if the images do not belong together.
  SeenContainer result() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace still::criu
