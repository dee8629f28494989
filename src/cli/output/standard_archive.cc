#include "cli/output/standard_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/output/standard_output.h"
#include "engine/image/tar_source.h"
#include "os/files.h"

namespace still::cli {
namespace {

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

void ArchiveOutput::send() const { copy_to_standard_output(open_file(path(), O_RDONLY)); }

}  // namespace still::cli
