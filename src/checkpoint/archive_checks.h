// What makes an archive one that can be restored, beyond the outer stream. Restore and verification
// both read archives through this.
#pragma once

#include <optional>
#include <string>

#include "archive/reader.h"
#include "checkpoint/archive_members.h"
#include "checkpoint/observer.h"

namespace still::checkpoint {

// Looks at the members as they pass. Throws Error(kCorrupt) for a tree that cannot be unpacked, a
// deleted path that leads out of the root, and JSON that is none.
class ArchiveChecks : public archive::MemberSink {
 public:
  void directory(const std::string& name) override;
  void link(const std::string& name, const std::string& target) override;
  void file(const std::string& name, uint64_t size_bytes,
            const archive::Source& content) override;

  // After the last member. Throws Error(kCorrupt) naming a member that is missing.
  void finish() const;

  // After finish().
  const std::string& config_dump() const { return *config_dump_; }
  const std::string& spec_dump() const { return *spec_dump_; }

 private:
  std::optional<std::string> config_dump_;
  std::optional<std::string> spec_dump_;
  bool has_inventory_ = false;
};

// Shows how far the reading is as progress of this step. observer must outlive the options.
archive::ReadOptions read_options(const std::string& identity, Step step, Observer& observer);

}  // namespace still::checkpoint
