#include "cli/output/standard_output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "archive/reader.h"
#include "base/error.h"
#include "os/files.h"

namespace still::cli {

void copy_to_standard_output(const Fd& file,
                             const std::function<void(std::string_view)>& check) try {
  ::signal(SIGPIPE, SIG_IGN);  // an error says more
  const int descriptor = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) throw Error::system(errno, "cannot write");
  const Fd output(descriptor);
  archive::for_each_block(archive::file_source(file), [&](std::string_view block) {
    if (check) check(block);
    write_all(output, block);
  });
} catch (const Error& error) {
  throw error.in("standard output");
}

}  // namespace still::cli
