#include "tree/file_mirror.h"

#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "os/files.h"

namespace still::tree {
namespace {

// As write_back(): an overlay passes this on to the file that holds the pages, and that not.
void write_back_through_overlays(const Fd& file) {
  if (::fdatasync(file.get()) != 0) throw Error::system(errno, "cannot write dirty pages back");
}

bool is_proven(const Proof& proof, const Fd& file) {
  return !proof.racy() && proof.matches(stat_fd(file));
}

}  // namespace

void FileMirror::update(unsigned threads, CopyMonitor& monitor) {
  const auto size = static_cast<uint64_t>(stat_fd(source_).st_size);
  if (is_new_) {
    copy_content(source_, target_, size, &monitor);
  } else {
    update_content(source_, target_, size, threads, monitor);
  }
  is_new_ = false;
}

void FileMirror::follow(CopyMonitor& monitor) {
  if (is_proven(proof_, source_)) return;
  const auto begun = coarse_now();
  write_back_through_overlays(source_);
  const struct stat before = stat_fd(source_);
  update(1, monitor);
  proof_ = Proof(before, begun);
  if (!proof_.matches(stat_fd(source_))) proof_.set_racy();
}

void FileMirror::finish(bool trust, unsigned threads, CopyMonitor& monitor) {
  if (!trust || !is_proven(proof_, source_)) update(threads, monitor);
}

}  // namespace still::tree
