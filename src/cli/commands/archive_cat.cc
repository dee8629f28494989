// still archive cat
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "cli/output/standard_output.h"
#include "os/atomic_file.h"

namespace still::cli {
namespace {

// Where what is printed waits until the archive has been read to its end and nothing was wrong with
// it. Large: not in /tmp, which may be in memory.
std::filesystem::path waiting_place() {
  const char* directory = std::getenv("TMPDIR");
  const bool is_given = directory != nullptr && *directory != '\0';
  return std::filesystem::path(is_given ? directory : "/var/tmp") / "still-archive-cat";
}

// What a terminal would take for more than text.
bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t') || byte >= 0x7f;
}

void check_for_terminal(std::string_view block) {
  if (std::ranges::none_of(block, is_control)) return;
  throw Error(ErrorKind::kUsage, "there is more than plain text in it, which is not for a terminal",
              "redirect standard output to a file or a pipe");
}

void print(const Fd& file) {
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot seek");
  if (::isatty(STDOUT_FILENO) == 1) {
    copy_to_standard_output(file, check_for_terminal);
  } else {
    copy_to_standard_output(file);
  }
}

int run_cat(const MemberFlags& flags) {
  const AtomicFile waiting(waiting_place(), 0600);  // never committed: gone with the object
  copy_member_to(waiting.fd(), flags);
  print(waiting.fd());
  return 0;
}

}  // namespace

void register_archive_cat(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<MemberFlags>();
  CLI::App& command =
      add_command(parent, {"cat",
                           "Print a member of an archive, or a file of a tree in it",
                           "[flags] FILE MEMBER [PATH]",
                           {"still archive cat web.tar.zst ctr.log",
                            "still archive cat web.tar.zst config.dump | jq .name",
                            "still archive cat web.tar.zst volumes/data.tar settings.ini",
                            "still archive cat web.tar.zst rootfs-diff.tar /etc/motd"}});
  add_member_arguments(command, *flags);
  add_identity_flag(command, flags->identity);
  on_run(command, context, [flags] { return run_cat(*flags); });
}

}  // namespace still::cli
