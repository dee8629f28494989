#include "cli/flags/archive_flags.h"

#include "restore/archive_checks.h"

namespace still::cli {

void add_identity_flag(CLI::App& command, std::string& identity) {
  command.add_option("--identity", identity, "Age identity that opens encrypted archives")
      ->option_text("FILE");
}

archive::ReadOptions archive_options(const std::string& identity, ProgressLine& progress) {
  return restore::read_options(identity, cut::Step::kVerify, progress);
}

}  // namespace still::cli
