#include "cli/flags/archive_flags.h"

#include "contents/member.h"
#include "restore/archive_checks.h"

namespace still::cli {

void add_identity_flag(CLI::App& command, std::string& identity) {
  command.add_option("--identity", identity, "Age identity that opens encrypted archives")
      ->option_text("FILE");
}

archive::ReadOptions archive_options(const std::string& identity, ProgressLine& progress) {
  return restore::read_options(identity, cut::Step::kVerify, progress);
}

void add_member_arguments(CLI::App& command, MemberFlags& flags) {
  command.add_option("FILE", flags.file, "Archive")->required();
  command.add_option("MEMBER", flags.member, "Member of it, as `still archive ls FILE` names it")
      ->required();
  command.add_option("PATH", flags.path, "A file of the tree that the member is");
}

void copy_member_to(const Fd& target, const MemberFlags& flags) {
  ProgressLine progress;
  const auto options = archive_options(flags.identity, progress);
  if (flags.path.empty()) {
    contents::copy_member(flags.file, flags.member, target, options);
  } else {
    contents::copy_tree_file(flags.file, flags.member, flags.path, target, options);
  }
}

}  // namespace still::cli
