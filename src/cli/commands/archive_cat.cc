// still archive cat
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "contents/member.h"
#include "os/atomic_file.h"
#include "os/files.h"

namespace still::cli {
namespace {

constexpr size_t kBlockSize = size_t{1} << 20;

struct CatFlags {
  std::string file;
  std::string member;
  std::string path;
  std::string identity;
};

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

void print(const Fd& file) try {
  const bool on_terminal = ::isatty(STDOUT_FILENO) == 1;
  ::signal(SIGPIPE, SIG_IGN);  // an error says more
  const int descriptor = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) throw Error::system(errno, "cannot write");
  const Fd output(descriptor);
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot seek");
  const archive::Source source = archive::file_source(file);
  std::string block(kBlockSize, '\0');
  while (const size_t got = source(block.data(), block.size())) {
    const std::string_view text = std::string_view(block).substr(0, got);
    if (on_terminal) check_for_terminal(text);
    write_all(output, text);
  }
} catch (const Error& error) {
  throw error.in("standard output");
}

int run_cat(const CatFlags& flags) {
  const AtomicFile waiting(waiting_place(), 0600);  // never committed: gone with the object
  {
    ProgressLine progress;
    const auto options = archive_options(flags.identity, progress);
    if (flags.path.empty()) {
      contents::copy_member(flags.file, flags.member, waiting.fd(), options);
    } else {
      contents::copy_tree_file(flags.file, flags.member, flags.path, waiting.fd(), options);
    }
  }
  print(waiting.fd());
  return 0;
}

}  // namespace

void register_archive_cat(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<CatFlags>();
  CLI::App& command =
      add_command(parent, {"cat",
                           "Print a member of an archive, or a file of a tree in it",
                           "[flags] FILE MEMBER [PATH]",
                           {"still archive cat web.tar.zst ctr.log",
                            "still archive cat web.tar.zst config.dump | jq .name",
                            "still archive cat web.tar.zst volumes/data.tar settings.ini",
                            "still archive cat web.tar.zst rootfs-diff.tar /etc/motd"}});
  command.add_option("FILE", flags->file, "Archive")->required();
  command.add_option("MEMBER", flags->member, "Member of it, as `still archive ls FILE` names it")
      ->required();
  command.add_option("PATH", flags->path, "A file of the tree that the member is");
  add_identity_flag(command, flags->identity);
  on_run(command, context, [flags] { return run_cat(*flags); });
}

}  // namespace still::cli
