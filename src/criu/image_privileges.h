// What a CRIU image would give to the tasks that are restored from it. CRIU restores as root and
// takes the image's word for everything: one from somebody else must not give more than the
// container's own spec.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace still::oci {
struct SystemCall;
}

namespace still::criu {

namespace messages {
class Core;
class File;
}  // namespace messages

// What a process has without a capability for it: as much as those have that start it.
struct Scheduling {
  int nice = 0;
  int oom_score_adjustment = 0;
  uint64_t realtime_priority = 0;  // RLIMIT_RTPRIO
  uint64_t nice_limit = 0;         // RLIMIT_NICE

  static Scheduling of_this_process();
};

// What the spec gives.
struct ImageLimits {
  std::vector<std::string> capabilities;  // "CAP_CHOWN", ...
  bool seccomp = true;                    // the default profile
  bool no_new_privileges = false;         // is set
  bool host_network = false;
  bool cgroup = true;  // of its own
  // By their places, with the size in bytes of those that have one.
  std::map<std::string, std::optional<uint64_t>> tmpfs{};
  std::optional<uint64_t> memory_bytes{};
  Scheduling scheduling{};
  std::set<std::string> visible{};  // of oci::protected_paths(): those that need not be
};

class ImagePrivileges {
 public:
  // What add() needs of a file whose use is ImageUse::kHead.
  static constexpr size_t kHeadSize = size_t{64} << 10;

  // Takes the content of a file whose use is kChecked, or its head where that is kHead. Throws
  // Error(kCorrupt) naming it if it is no image of its kind, or has what no container needs.
  void add(const std::string& file, std::string_view content);
  // Takes note of one whose use is kTmpfs. size_bytes: what it takes in memory, unpacked. links:
  // the paths of symbolic links in it, relative.
  void add_tmpfs(const std::string& file, uint64_t size_bytes, std::vector<std::string> links);
  uint64_t tmpfs_bytes() const;  // all of them together

  // Paths of files ("/a/b") that CRIU makes for a moment because the container had removed them and
  // holds them open. CRIU makes them as root of the host, before it is in the container's root: a
  // symbolic link on the way would lead out of it. beyond() knows of those in a tmpfs; the others
  // are for those to check that know the trees.
  std::vector<std::string> made_paths() const;

  // What goes beyond the limits, one phrase each: "the capability CAP_SYS_ADMIN", "no seccomp
  // filter". Throws Error(kCorrupt) if the images do not belong together.
  std::vector<std::string> beyond(const ImageLimits& limits) const;

 private:
  struct Namespaces {
    std::map<std::string, uint32_t> ids;  // "mount" -> number; those that are there
  };
  struct Mount {
    uint32_t type = 0;
    bool read_only = false;
    bool provided = false;  // by the runtime
    std::string root;
    std::string place;
    std::string options;
    std::string id;  // decimal, both
    std::string device;
  };
  struct Tmpfs {
    uint64_t size_bytes = 0;
    std::vector<std::string> links;
  };
  struct Filter {
    std::string program;
    std::optional<uint32_t> previous;
    bool for_all_threads = false;  // set for the first thread of a process, it holds for the others
  };

  void add_inventory(std::string_view content);
  void add_tree(std::string_view content);
  void add_core(const std::string& number, std::string_view content);
  void add_scheduling(const messages::Core& core);
  void add_clock(uint32_t clock);
  void add_namespaces(const std::string& number, std::string_view content);
  void add_mounts(std::string_view content);
  void add_files(std::string_view content);
  void add_file(const messages::File& file);
  static void check_ghost_file(std::string_view content);
  static void check_network(std::string_view content);
  void add_remaps(std::string_view content);
  void add_cgroups(std::string_view content);
  void add_filters(std::string_view content);
  void need(const char* capability, const std::string& for_what);

  bool has_filter(const std::string& thread) const;
  bool chain_allows(uint32_t filter, const oci::SystemCall& call) const;
  void find_capabilities(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_filters(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_namespaces(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_mounts(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_tmpfs(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_scheduling(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_others(const ImageLimits& limits, std::vector<std::string>& found) const;
  void check_cgroups() const;
  void check_made_paths() const;
  bool belongs(const Mount& mount, const ImageLimits& limits) const;
  Tmpfs content_of(const Mount& mount) const;

  uint64_t capabilities_ = 0;                  // of all threads together
  std::map<std::string, uint32_t> filter_of_;  // thread -> its last filter
  std::set<std::string> without_filter_;       // threads
  std::map<std::string, std::string> leader_;  // thread -> first thread of its process
  std::vector<Filter> filters_;                // as in seccomp.img
  std::optional<Namespaces> host_;             // those that CRIU ran in
  std::map<std::string, Namespaces> inside_;   // by process
  std::set<std::string> processes_;            // those that live
  std::vector<Mount> mounts_;
  std::map<std::string, Tmpfs> tmpfs_;                 // by file
  std::map<uint32_t, std::string> names_;              // of regular files, by id
  std::set<uint32_t> remapped_;                        // ids of those that are not at their path
  std::map<std::string, std::string> needs_;           // what for -> the capability
  std::set<std::string> labels_;                       // of security modules
  bool without_no_new_privileges_ = false;             // a thread
  Scheduling scheduling_;                              // the most that one has
  std::set<uint32_t> cgroup_sets_;                     // as in cgroup.img
  std::map<std::string, std::set<uint32_t>> sets_of_;  // thread -> those that it names
  std::optional<uint32_t> set_of_criu_;
  std::set<std::string> roots_;  // processes without a parent
};

}  // namespace still::criu
