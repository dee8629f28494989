// What makes an archive one that can be restored, beyond the outer stream. Restore and verification
// both read archives through this.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "archive/members.h"
#include "archive/reader.h"
#include "criu/image_privileges.h"
#include "cut/observer.h"
#include "subject/destination.h"

namespace still::restore {

// Looks at the members as they pass. Throws Error(kCorrupt) for a tree that cannot be unpacked, a
// deleted path that leads out of the root, JSON that is none, and CRIU images that are none or open
// what no container has.
class ArchiveChecks : public archive::MemberSink {
 public:
  // dumps: of the engine whose container it may be; must outlive the object.
  explicit ArchiveChecks(const subject::DumpReader& dumps) : dumps_(dumps) {}

  void directory(const std::string& name) override;
  void link(const std::string& name, const std::string& target) override;
  void file(const std::string& name, uint64_t size_bytes, const archive::Source& content) override;

  // After the last member. Throws Error(kCorrupt) naming a member that is missing, or spec.dump if
  // it does not go with config.dump; those two are compared where dumps knows them.
  void finish() const;

  // After finish().
  const archive::ConfigIdentity& identity() const { return *identity_; }
  const std::string& config_dump() const { return *config_dump_; }
  const criu::ImagePrivileges& privileges() const { return privileges_; }
  // Of trees that have some, by member; the content of a tmpfs in CRIU's images is one, too.
  const subject::PrivilegedTrees& trees() const { return trees_; }
  // What each tree has, by member; the content of a tmpfs is none of these.
  struct TreeTotals {
    uint64_t entries = 0;  // without the root of the tree
    uint64_t content_bytes = 0;
  };
  const std::map<std::string, TreeTotals>& totals() const { return totals_; }
  const std::string& spec_dump() const { return *spec_dump_; }
  // Of paths that were removed from the root file system, or replaced.
  uint64_t removed_paths() const { return removed_paths_; }
  // What the archive asks for; nothing where it is another engine's.
  std::vector<std::string> demands() const;

 private:
  void tree(const std::string& member, const archive::Source& content,
            const archive::ExtractOptions& options);
  void image(const std::string& file, uint64_t size_bytes, const archive::Source& content);

  const subject::DumpReader& dumps_;
  std::optional<archive::ConfigIdentity> identity_;
  std::optional<std::string> config_dump_;
  std::optional<std::string> spec_dump_;
  criu::ImagePrivileges privileges_;
  subject::PrivilegedTrees trees_;
  std::map<std::string, TreeTotals> totals_;
  uint64_t removed_paths_ = 0;
  bool is_known_ = false;  // to dumps_
  bool has_inventory_ = false;
  bool has_files_ = false;
};

// Shows how far the reading is as progress of this step. observer must outlive the options.
archive::ReadOptions read_options(const std::string& identity, cut::Step step,
                                  cut::Observer& observer);

}  // namespace still::restore
