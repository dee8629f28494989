// Named volumes: directories below store::Layout::volumes().
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "journal/host.h"
#include "os/fd.h"

namespace still::engine {

class Volumes {
 public:
  explicit Volumes(const journal::Host& host) : host_(host) {}

  // name empty: one is made up. Error(kUsage) for a name that is none, Error(kConflict) if it
  // exists. Returns the name. operation: the key of one that takes it along if it is interrupted.
  std::string create(const std::string& name, bool anonymous,
                     std::vector<std::pair<std::string, std::string>> labels,
                     const std::string& operation = {});
  // Makes it unless it exists.
  void ensure(const std::string& name);
  // Error(kNotFound); Error(kConflict) naming the containers that use it, unless force.
  void remove(const std::string& name, bool force);
  // Containers, of any state, that mount the volume.
  std::vector<store::ContainerRecord> users(const std::string& name);

  // As long as the descriptor is open no still process removes a volume of this store.
  static Fd lock(const store::Layout& layout);

 private:
  const journal::Host host_;
};

// Letters, digits and ._- , the first one a letter or digit. Error(kUsage) otherwise.
void check_name(const std::string& kind, const std::string& name);

}  // namespace still::engine
