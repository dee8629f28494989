#include "engine/monitor/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/format.h"
#include "engine/container/paths.h"
#include "engine/monitor/detach_keys.h"
#include "os/files.h"
#include "os/process.h"

namespace still::engine {
namespace {

// conmon sends packets; the first byte says which stream the rest is from.
constexpr char kFromStdout = 2;
constexpr char kFromStderr = 3;
constexpr size_t kPacketSize = 8192 + 1;

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

Fd connect_to(const std::filesystem::path& directory, const std::string& name) {
  // A socket's path must be shorter than the ones we have; through the descriptor it is.
  const Fd parent = open_file(directory, O_PATH | O_DIRECTORY);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/{}",
                   parent.get(), name);
  const int raw = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (raw < 0) throw Error::system(errno, "cannot make a socket");
  Fd socket(raw);
  if (::connect(raw, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw Error::system(errno, "cannot connect to the container's monitor");
  }
  return socket;
}

// The terminal passes every key on, the way it is typed, and gets back its old state at the end.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    active_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

 private:
  termios before_{};
  bool active_ = false;
};

// Signals as something to poll for, until the end of its life.
class SignalSource {
 public:
  explicit SignalSource(const sigset_t& wanted) : file_(open(wanted)) {
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  }
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;
  ~SignalSource() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  int descriptor() const { return file_.get(); }
  std::optional<int> next() {
    signalfd_siginfo info;
    if (::read(file_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  static Fd open(const sigset_t& wanted) {
    const int fd = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) throw Error::system(errno, "cannot wait for signals");
    return Fd(fd);
  }

  Fd file_;
  sigset_t before_{};
};

sigset_t wanted_signals(bool terminal, pid_t forward_to) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  if (terminal) ::sigaddset(&wanted, SIGWINCH);
  if (!terminal && forward_to > 0) {
    for (const int number : kForwarded) ::sigaddset(&wanted, number);
  }
  return wanted;
}

// Tells conmon the size of our terminal. Without blocking: a conmon that has ended does not read
// any more, which is no error.
void pass_window_size(const std::filesystem::path& bundle) try {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0) return;
  const auto control = open_if_exists(bundle / "ctl", O_WRONLY | O_NONBLOCK);
  if (control) write_all(*control, formatted("1 {} {}\n", size.ws_row, size.ws_col));
} catch (const Error& error) {
  if (error.error_number() != ENXIO && error.error_number() != EPIPE) throw;
}

}  // namespace

// Moves data until the end; one object for one run().
class AttachLoop {
 public:
  AttachLoop(const Fd& socket, bool read_stdin, bool terminal, const std::filesystem::path& bundle,
             pid_t forward_to)
      : socket_(socket),
        read_stdin_(read_stdin),
        terminal_(terminal),
        bundle_(bundle),
        forward_to_(forward_to > 0 ? open_pidfd(forward_to) : std::nullopt),
        signals_(wanted_signals(terminal, forward_to)) {}

  // False: detached.
  bool run() {
    while (!detached_) {
      pollfd sources[] = {{socket_.get(), POLLIN, 0},
                          {signals_.descriptor(), POLLIN, 0},
                          {read_stdin_ ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(sources, std::size(sources), -1) < 0 && errno != EINTR) {
        throw Error::system(errno, "cannot poll");
      }
      if (sources[1].revents != 0) handle_signal();
      if (sources[0].revents != 0 && !pass_output()) return true;
      if (sources[2].revents != 0) pass_input();
    }
    return false;
  }

 private:
  void handle_signal() {
    const auto number = signals_.next();
    if (number == SIGWINCH) {
      pass_window_size(bundle_);
    } else if (number && forward_to_) {
      send_signal(*forward_to_, *number);
    }
  }

  // False at the end.
  bool pass_output() {
    char packet[kPacketSize];
    const ssize_t size = ::recv(socket_.get(), packet, sizeof packet, 0);
    if (size < 0 && errno == EINTR) return true;
    if (size < 0 && errno != ECONNRESET) {
      throw Error::system(errno, "cannot read from the container's monitor");
    }
    if (size <= 0) return false;
    const std::string_view data(packet + 1, static_cast<size_t>(size - 1));
    if (packet[0] == kFromStdout) write_to(STDOUT_FILENO, data);
    if (packet[0] == kFromStderr) write_to(STDERR_FILENO, data);
    return true;
  }

  void pass_input() {
    char buffer[kPacketSize - 1];
    const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) return end_input();
    std::string_view data(buffer, static_cast<size_t>(size));
    if (!terminal_) return send(data);
    const auto filtered = keys_.filter(data);
    send(filtered.passed);
    detached_ = filtered.detach;
  }

  void end_input() {
    read_stdin_ = false;
    ::shutdown(socket_.get(), SHUT_WR);
  }

  void send(std::string_view data) {
    if (data.empty()) return;
    // A container that has closed its end, or ended, wants no more; what it wrote still comes.
    if (::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL) < 0) read_stdin_ = false;
  }

  static void write_to(int fd, std::string_view data) {
    while (!data.empty()) {
      const ssize_t written = ::write(fd, data.data(), data.size());
      if (written < 0 && errno != EINTR) throw Error::system(errno, "cannot write the output");
      if (written > 0) data.remove_prefix(static_cast<size_t>(written));
    }
  }

  const Fd& socket_;
  bool read_stdin_;
  const bool terminal_;
  const std::filesystem::path bundle_;
  const std::optional<Fd> forward_to_;
  SignalSource signals_;
  DetachKeys keys_;
  bool detached_ = false;
};

Attachment Attachment::connect(const store::Layout& layout, const std::string& id, bool terminal,
                               bool open_stdin) {
  const ContainerPaths paths(layout.container(id));
  return {connect_to(paths.bundle(), "attach"), paths.bundle(), terminal, open_stdin};
}

bool Attachment::run(pid_t forward_signals_to) {
  std::optional<RawTerminal> raw;
  if (terminal_ && open_stdin_) raw.emplace();
  if (terminal_) pass_window_size(bundle_);
  return AttachLoop(socket_, open_stdin_, terminal_, bundle_, forward_signals_to).run();
}

}  // namespace still::engine
