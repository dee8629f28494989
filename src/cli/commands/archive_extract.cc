// still archive extract
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "contents/member.h"
#include "os/atomic_file.h"

namespace still::cli {
namespace {

struct ExtractFlags {
  std::string file;
  std::string member;
  std::string path;
  std::string output;
  std::string identity;
};

// Before the archive is read; commit_new() asks once more.
void refuse_existing(const std::string& output) {
  std::error_code none;
  if (!std::filesystem::exists(std::filesystem::symlink_status(output, none))) return;
  throw Error(ErrorKind::kConflict, printable(output) + " exists already",
              "name another file, or remove it");
}

int run_extract(const ExtractFlags& flags) {
  refuse_existing(flags.output);
  AtomicFile output(flags.output, 0600);
  {
    ProgressLine progress;
    const auto options = archive_options(flags.identity, progress);
    if (flags.path.empty()) {
      contents::copy_member(flags.file, flags.member, output.fd(), options);
    } else {
      contents::copy_tree_file(flags.file, flags.member, flags.path, output.fd(), options);
    }
  }
  output.commit_new();
  return 0;
}

}  // namespace

void register_archive_extract(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<ExtractFlags>();
  CLI::App& command = add_command(
      parent, {"extract",
               "Copy a member of an archive, or a file of a tree in it, to a file",
               "[flags] FILE MEMBER [PATH]",
               {"still archive extract web.tar.zst volumes/data.tar -o data.tar",
                "still archive extract web.tar.zst checkpoint/pages-1.img -o pages-1.img",
                "still archive extract web.tar.zst volumes/data.tar base/1.db -o 1.db"}});
  command.add_option("FILE", flags->file, "Archive")->required();
  command.add_option("MEMBER", flags->member, "Member of it, as `still archive ls FILE` names it")
      ->required();
  command.add_option("PATH", flags->path, "A file of the tree that the member is");
  command
      .add_option("-o,--output", flags->output,
                  "File to make, readable for the caller alone; it must not exist")
      ->option_text("PATH")
      ->required();
  add_identity_flag(command, flags->identity);
  on_run(command, context, [flags] { return run_extract(*flags); });
}

}  // namespace still::cli
