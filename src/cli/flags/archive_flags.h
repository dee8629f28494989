// Commands that read an archive: its name, and what opens it.
#pragma once

#include <string>

#include "archive/reader.h"
#include "cli/app.h"
#include "cli/output/progress.h"

namespace still::cli {

// --identity
void add_identity_flag(CLI::App& command, std::string& identity);

// With this identity, the reading shown as progress, which must outlive the options.
archive::ReadOptions archive_options(const std::string& identity, ProgressLine& progress);

}  // namespace still::cli
