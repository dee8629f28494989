// What an archive says of a container of Still's.
#pragma once

#include "subject/destination.h"

namespace still::sources {

class StillDumpReader : public subject::DumpReader {
 public:
  bool knows(std::string_view config_dump) const override;
  subject::ArchivedContainer read(std::string_view config_dump) const override;
  void check_spec(std::string_view config_dump, std::string_view spec_dump) const override;
  std::vector<std::string> demands(std::string_view config_dump,
                                   const criu::ImagePrivileges& images,
                                   const subject::PrivilegedTrees& trees) const override;
};

}  // namespace still::sources
