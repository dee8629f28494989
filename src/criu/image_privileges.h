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

// What the spec gives.
struct ImageLimits {
  std::vector<std::string> capabilities;  // "CAP_CHOWN", ...
  bool seccomp = true;                    // the default profile
  bool host_network = false;
};

class ImagePrivileges {
 public:
  // Whether a file of the image directory, by name, has to do with it.
  static bool reads(std::string_view file);

  // Of such a file: whether add() needs no more than the first kHeadSize bytes, because what
  // follows is the content of a file, of any size.
  static bool reads_only_head(std::string_view file);
  static constexpr size_t kHeadSize = size_t{64} << 10;

  // Takes the content of such a file. Throws Error(kCorrupt) naming it if it is no image of its
  // kind, or opens files in a way that no container needs.
  void add(const std::string& file, std::string_view content);

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
  };
  struct Filter {
    std::string program;
    std::optional<uint32_t> previous;
    bool for_all_threads = false;  // set for the first thread of a process, it holds for the others
  };

  void add_inventory(std::string_view content);
  void add_tree(std::string_view content);
  void add_core(const std::string& number, std::string_view content);
  void add_namespaces(const std::string& number, std::string_view content);
  void add_mounts(std::string_view content);
  static void check_files(std::string_view content);
  static void check_ghost_file(std::string_view content);
  void add_filters(std::string_view content);

  bool has_filter(const std::string& thread) const;
  bool chain_allows(uint32_t filter, const oci::SystemCall& call) const;
  void find_capabilities(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_filters(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_namespaces(const ImageLimits& limits, std::vector<std::string>& found) const;
  void find_mounts(std::vector<std::string>& found) const;
  bool belongs(const Mount& mount) const;

  uint64_t capabilities_ = 0;                  // of all threads together
  std::map<std::string, uint32_t> filter_of_;  // thread -> its last filter
  std::set<std::string> without_filter_;       // threads
  std::map<std::string, std::string> leader_;  // thread -> first thread of its process
  std::vector<Filter> filters_;                // as in seccomp.img
  std::optional<Namespaces> host_;             // those that CRIU ran in
  std::map<std::string, Namespaces> inside_;   // by process
  std::set<std::string> processes_;            // those that live
  std::vector<Mount> mounts_;
};

}  // namespace still::criu
