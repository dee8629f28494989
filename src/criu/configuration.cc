#include "criu/configuration.h"

#include "criu/criu.h"
#include "os/files.h"

namespace still::criu {

void write_configuration(const std::filesystem::path& file, const std::filesystem::path& overrides,
                         const std::map<std::string, std::string>& options) {
  if (!overrides.empty()) {
    auto other = options;
    other.erase("network-lock");   // CRIU 4.1.1 is killed by it there, by a null pointer
    other.erase("action-script");  // that would be one more script, not the same one
    write_file_atomically(overrides, criu_configuration(other), 0600);
  }
  write_file_atomically(file, criu_configuration(options), 0600);
}

}  // namespace still::criu
