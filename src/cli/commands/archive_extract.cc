// still archive extract
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "os/atomic_file.h"

namespace still::cli {
namespace {

struct ExtractFlags {
  MemberFlags from;
  std::string output;
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
  copy_member_to(output.fd(), flags.from);
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
  add_member_arguments(command, flags->from);
  command
      .add_option("-o,--output", flags->output,
                  "File to make, readable for the caller alone; it must not exist")
      ->option_text("PATH")
      ->required();
  add_identity_flag(command, flags->from.identity);
  on_run(command, context, [flags] { return run_extract(*flags); });
}

}  // namespace still::cli
