// Preloaded into CRIU alone. What waits to be read in a pseudo terminal whose two ends the
// container has, CRIU reads, and writes it at the other end for the original to have it again. The
// kernel then does with it once more what it does with all that is written there: line ends are
// translated twice, what was typed is echoed twice; in packet mode there is one byte more, and of
// more than 16 KiB some is lost. So CRIU may read only what comes back as it was. What it must not
// read makes the dump fail before anything is read: the original has it still, and no copy could.
// (CRIU 4.1.1: tty_do_dump_queued_data() in criu/tty.c.)

#include <cerrno>

#include "criu/preload/preload.h"
#include "os/terminal_queue.h"

bool may_read_terminal(int file, size_t size) {
  constexpr size_t kFirstPiece = 16384;  // only CRIU's first read of a terminal is of this size
  if (size != kFirstPiece) return true;
  struct stat status = {};
  if (::fstat(file, &status) != 0) return true;
  const bool is_master = still::is_pty_master(status);
  if (!is_master && !still::is_pty_slave(status)) return true;
  switch (still::terminal_queue(file, is_master)) {
    case still::TerminalQueue::kPlain:
      return true;
    case still::TerminalQueue::kEmpty:
      errno = EAGAIN;
      return false;
    case still::TerminalQueue::kChanging:
      errno = EBUSY;
      return false;
  }
  return true;
}
