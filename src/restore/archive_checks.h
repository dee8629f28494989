// What makes an archive one that can be restored, beyond the outer stream. Restore and verification
// both read archives through this.
#pragma once

#include <optional>
#include <string>

#include "archive/members.h"
#include "archive/reader.h"
#include "criu/image_privileges.h"
#include "cut/observer.h"
#include "engine/container/config_dump.h"

namespace still::restore {

// Looks at the members as they pass. Throws Error(kCorrupt) for a tree that cannot be unpacked, a
// deleted path that leads out of the root, JSON that is none, and CRIU images that are none or open
// what no container has.
class ArchiveChecks : public archive::MemberSink {
 public:
  void directory(const std::string& name) override;
  void link(const std::string& name, const std::string& target) override;
  void file(const std::string& name, uint64_t size_bytes, const archive::Source& content) override;

  // After the last member. Throws Error(kCorrupt) naming a member that is missing, or spec.dump if
  // it does not go with config.dump.
  void finish() const;

  // After finish().
  const archive::ConfigIdentity& identity() const { return *identity_; }
  // Throws Error(kUnsupported) for an archive that another engine wrote.
  engine::ArchivedContainer container() const { return engine::parse_config_dump(*config_dump_); }
  const criu::ImagePrivileges& privileges() const { return privileges_; }

 private:
  void image(const std::string& file, uint64_t size_bytes, const archive::Source& content);

  std::optional<archive::ConfigIdentity> identity_;
  std::optional<std::string> config_dump_;
  std::optional<std::string> spec_dump_;
  criu::ImagePrivileges privileges_;
  bool has_inventory_ = false;
  bool has_files_ = false;
};

// Shows how far the reading is as progress of this step. observer must outlive the options.
archive::ReadOptions read_options(const std::string& identity, cut::Step step,
                                  cut::Observer& observer);

}  // namespace still::restore
