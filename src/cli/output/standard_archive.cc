#include "cli/output/standard_archive.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "engine/image/tar_source.h"
#include "os/files.h"

namespace still::cli {
namespace {

constexpr size_t kBlockSize = size_t{1} << 20;

void refuse_terminal(int descriptor, const std::string& what, const std::string& hint) {
  if (::isatty(descriptor) == 1) throw Error(ErrorKind::kUsage, what, hint);
}

}  // namespace

ArchiveInput::ArchiveInput(const store::Layout& layout, const std::string& name) : path_(name) {
  if (name != kStandard) return;
  refuse_terminal(STDIN_FILENO, "an archive is not typed in", "redirect standard input: < FILE");
  directory_.emplace(layout.staging(), "input-");
  path_ = directory_->path() / "archive";
  engine::spool_standard_input(path_);
}

ArchiveOutput::ArchiveOutput(const store::Layout& layout)
    : directory_((refuse_terminal(STDOUT_FILENO, "an archive is not written to a terminal",
                                  "redirect standard output, or name a file: --export FILE"),
                  layout.staging()),
                 "output-") {}

void ArchiveOutput::send() const try {
  ::signal(SIGPIPE, SIG_IGN);  // an error says more
  const Fd file = open_file(path(), O_RDONLY);
  const int descriptor = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) throw Error::system(errno, "cannot write to standard output");
  const Fd output(descriptor);
  std::string block(kBlockSize, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno != EINTR) throw Error::system(errno, "cannot read the archive");
    if (got == 0) return;
    if (got > 0) write_all(output, std::string_view(block).substr(0, static_cast<size_t>(got)));
  }
} catch (const Error& error) {
  throw error.in("standard output");
}

}  // namespace still::cli
