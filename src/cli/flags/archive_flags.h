// Commands that read an archive: what opens it, and what of it they take.
#pragma once

#include <string>

#include "archive/reader.h"
#include "cli/app.h"
#include "cli/output/progress.h"
#include "os/fd.h"

namespace still::cli {

// --identity
void add_identity_flag(CLI::App& command, std::string& identity);

// With this identity, the reading shown as progress, which must outlive the options.
archive::ReadOptions archive_options(const std::string& identity, ProgressLine& progress);

// A member of an archive, or a file of the tree that the member is.
struct MemberFlags {
  std::string file;
  std::string member;
  std::string path;  // empty: all of the member
  std::string identity;
};
// FILE MEMBER [PATH]
void add_member_arguments(CLI::App& command, MemberFlags& flags);
// Into an empty file, with progress. Throws as contents::copy_member() and copy_tree_file() do.
void copy_member_to(const Fd& target, const MemberFlags& flags);

}  // namespace still::cli
