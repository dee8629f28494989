// What waits in a pseudo terminal to be read, and whether it can be put back once it has been read.
// Header only: the library in CRIU has it, too.
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

namespace still {

// Of the kernel's admin-guide/devices.txt.
inline constexpr unsigned kPtmxMajor = 5;
inline constexpr unsigned kPtmxMinor = 2;
inline constexpr unsigned kFirstPtsMajor = 136;
inline constexpr unsigned kLastPtsMajor = 143;

// The end that a program like sshd or tmux has.
inline bool is_pty_master(const struct stat& status) {
  return S_ISCHR(status.st_mode) && major(status.st_rdev) == kPtmxMajor &&
         minor(status.st_rdev) == kPtmxMinor;
}
// The end that is a terminal to a shell.
inline bool is_pty_slave(const struct stat& status) {
  return S_ISCHR(status.st_mode) && major(status.st_rdev) >= kFirstPtsMajor &&
         major(status.st_rdev) <= kLastPtsMajor;
}

enum class TerminalQueue {
  kEmpty,
  // What is written at the other end comes to this one as it is, so it can be read and put back.
  kPlain,
  // Written once more it would become something else: line ends twice, an echo, a signal, more
  // than there is room for.
  kChanging,
};

// terminal: one end of a pseudo terminal; nothing is read. A line that is not complete yet is not
// counted: nobody can read it. A descriptor that is none, or whose other end is closed: kEmpty.
inline TerminalQueue terminal_queue(int terminal, bool is_master) {
  // As much as the kernel shows (N_TTY_BUF_SIZE of drivers/tty/n_tty.c); more may be behind it.
  constexpr int kMostShown = 4095;
  pollfd ask{.fd = terminal, .events = POLLIN | POLLPRI, .revents = 0};
  const bool is_ready = ::poll(&ask, 1, 0) > 0 && (ask.revents & (POLLIN | POLLPRI)) != 0;
  int bytes = 0;  // also where the reader wants more of them at once (VMIN)
  if (::ioctl(terminal, FIONREAD, &bytes) != 0) return TerminalQueue::kEmpty;
  if (!is_ready && bytes == 0) return TerminalQueue::kEmpty;
  termios modes{};  // of the slave, asked at either end
  if (::ioctl(terminal, TCGETS, &modes) != 0 || bytes >= kMostShown) {
    return TerminalQueue::kChanging;
  }
  int is_packet = 0;  // each piece begins with a byte of the kernel's
  if (is_master) ::ioctl(terminal, TIOCGPKT, &is_packet);
  constexpr tcflag_t kInput =
      IGNBRK | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON | IXOFF;
  constexpr tcflag_t kLocal = ICANON | ECHO | ECHONL | ISIG | IEXTEN | EXTPROC;
  const bool is_plain = is_master ? is_packet == 0 && (modes.c_oflag & OPOST) == 0
                                  : (modes.c_iflag & kInput) == 0 && (modes.c_lflag & kLocal) == 0;
  return is_plain ? TerminalQueue::kPlain : TerminalQueue::kChanging;
}

}  // namespace still
