#include "os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Of all C headers here the one without its own extern "C" (glibc 2.41).
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still {
namespace {

// Wraps the posix_spawn objects so that every early return frees them.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// What our caller has left open in us without close-on-exec is not for the child.
void close_others(const std::map<int, int>& descriptors, int highest, SpawnSettings& settings) {
  for (int fd = STDERR_FILENO + 1; fd <= highest; ++fd) {
    if (std::ranges::contains(descriptors | std::views::values, fd)) continue;
    ::posix_spawn_file_actions_addclose(&settings.actions, fd);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, highest + 1);
}

int highest_target(const std::map<int, int>& descriptors) {
  int highest = STDERR_FILENO;
  for (const int target : descriptors | std::views::values) highest = std::max(highest, target);
  return highest;
}

// Copies of the descriptors that go to the child, in their order, out of the range of their
// targets: otherwise a dup2 could overwrite one that is still to be passed on.
std::vector<Fd> copies_out_of_the_way(const std::map<int, int>& descriptors) {
  const int lowest = highest_target(descriptors) + 1;
  std::vector<Fd> copies;
  for (const int source : descriptors | std::views::keys) {
    const int copy = ::fcntl(source, F_DUPFD_CLOEXEC, lowest);
    if (copy < 0) throw Error::system(errno, "cannot pass a file descriptor on");
    copies.emplace_back(copy);
  }
  return copies;
}

std::vector<Fd> pass_descriptors(const std::map<int, int>& descriptors, SpawnSettings& settings) {
  std::vector<Fd> copies = copies_out_of_the_way(descriptors);
  size_t next = 0;
  for (const int target : descriptors | std::views::values) {
    ::posix_spawn_file_actions_adddup2(&settings.actions, copies[next++].get(), target);
  }
  close_others(descriptors, highest_target(descriptors), settings);
  return copies;
}

bool gives_stdin(const Command& command) {
  return command.inherit_stdin ||
         std::ranges::contains(command.descriptors | std::views::values, STDIN_FILENO);
}

void set_signals(SpawnSettings& settings) {
  // The child starts with nothing blocked and nothing ignored, whatever we do ourselves.
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name(text.substr(0, text.find('=')));
    if (!command.environment.contains(name)) result.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

ExitStatus to_exit_status(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.code = 128 + info.si_status, .signal = info.si_status};
}

// --- a child behind a gate: between fork and exec, so system calls only --------------------------

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// copies: as copies_out_of_the_way() made them.
bool arrange_descriptors(const Command& command, const std::vector<Fd>& copies) {
  size_t next = 0;
  for (const int target : command.descriptors | std::views::values) {
    if (::dup2(copies[next++].get(), target) < 0) return false;
  }
  if (gives_stdin(command)) return true;
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return null >= 0 && ::dup2(null, STDIN_FILENO) >= 0;
}

void close_others_at_exec(const Command& command) {
  const int highest = highest_target(command.descriptors);
  for (int fd = STDERR_FILENO + 1; fd <= highest; ++fd) {
    if (std::ranges::contains(command.descriptors | std::views::values, fd)) continue;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  ::close_range(static_cast<unsigned>(highest) + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

// False when it was closed.
bool wait_at(const Fd& gate) {
  char byte = 0;
  for (;;) {
    const ssize_t got = ::read(gate.get(), &byte, 1);
    if (got >= 0 || errno != EINTR) return got == 1;
  }
}

[[noreturn]] void become(const Command& command, const std::vector<Fd>& copies, const Fd& gate,
                         char* const* arguments, char* const* environment) {
  constexpr int kCannotStart = 127;
  if (command.own_process_group) ::setpgid(0, 0);
  if (!wait_at(gate)) ::_exit(0);
  const bool is_there = !command.directory || ::chdir(command.directory->c_str()) == 0;
  if (is_there && arrange_descriptors(command, copies)) {
    close_others_at_exec(command);
    reset_signals();
    ::execvpe(arguments[0], arguments, environment);
  }
  ::_exit(kCannotStart);
}

// Reads both pipes until both are closed, so that neither can fill up and block the child.
void drain(const Fd& output, std::string& output_text, const Fd& errors, std::string& error_text) {
  pollfd sources[] = {{output.get(), POLLIN, 0}, {errors.get(), POLLIN, 0}};
  std::string* texts[] = {&output_text, &error_text};
  int open_sources = 2;
  while (open_sources > 0) {
    if (::poll(sources, 2, -1) < 0 && errno != EINTR) throw Error::system(errno, "cannot poll");
    for (int i = 0; i < 2; ++i) {
      if (sources[i].fd < 0 || sources[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t got = ::read(sources[i].fd, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Error::system(errno, "cannot read a command's output");
      if (got == 0) {
        sources[i].fd = -1;
        --open_sources;
      }
      texts[i]->append(buffer, static_cast<size_t>(got));
    }
  }
}

// A directory may be "executable" too.
bool is_program(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string ExitStatus::describe() const {
  if (signal != 0) return formatted("killed by signal {} ({})", signal, ::strsignal(signal));
  return formatted("exit code {}", code);
}

Child Child::start(const Command& command) {
  SpawnSettings settings;
  set_signals(settings);
  const std::vector<Fd> copies = pass_descriptors(command.descriptors, settings);
  if (!gives_stdin(command)) {
    ::posix_spawn_file_actions_addopen(&settings.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  if (command.directory) {
    ::posix_spawn_file_actions_addchdir_np(&settings.actions, command.directory->c_str());
  }
  short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  if (command.own_process_group) flags |= POSIX_SPAWN_SETPGROUP;
  ::posix_spawnattr_setflags(&settings.attributes, flags);

  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_of(command);
  int pidfd = -1;
  const int problem =
      ::pidfd_spawnp(&pidfd, arguments[0].c_str(), &settings.actions, &settings.attributes,
                     pointers_to(arguments).data(), pointers_to(environment).data());
  if (problem == ENOENT) {
    throw Error::system(problem, "cannot start \"" + arguments[0] + "\"")
        .with_hint("install it, or check PATH");
  }
  if (problem != 0) throw Error::system(problem, "cannot start \"" + arguments[0] + "\"");
  Fd owned(pidfd);
  return Child(::pidfd_getpid(pidfd), std::move(owned));
}

Child::~Child() {
  if (pidfd_.get() < 0 || status_) return;  // moved from, or waited for
  try {
    wait();
  } catch (const Error&) {  // nothing to wait for any more
  }
}

ExitStatus Child::wait() {
  while (!status_) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) == 0) {
      status_ = to_exit_status(info);
    } else if (errno != EINTR) {
      throw Error::system(errno, "cannot wait for a child process");
    }
  }
  return *status_;
}

std::optional<ExitStatus> Child::wait_until(Deadline deadline) {
  if (!status_ && !wait_for_exit(pidfd_, deadline)) return std::nullopt;
  return wait();
}

void Child::signal(int number) {
  if (!status_) send_signal(pidfd_, number);
}

HeldChild HeldChild::prepare(const Command& command) {
  if (!find_program(command.arguments[0])) {
    throw Error::system(ENOENT, "cannot start \"" + command.arguments[0] + "\"")
        .with_hint("install it, or check PATH");
  }
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_of(command);
  const std::vector<char*> argument_pointers = pointers_to(arguments);
  const std::vector<char*> environment_pointers = pointers_to(environment);
  const std::vector<Fd> copies = copies_out_of_the_way(command.descriptors);
  Pipe gate = make_pipe();
  const pid_t pid = ::fork();
  if (pid < 0) throw Error::system(errno, "cannot start a process");
  if (pid == 0) {
    ::close(gate.write_end.get());
    become(command, copies, gate.read_end, argument_pointers.data(), environment_pointers.data());
  }
  // Here and in the child: whoever comes first.
  if (command.own_process_group) ::setpgid(pid, pid);
  return {Child(pid, open_pidfd(pid).value()), std::move(gate.write_end)};
}

Child HeldChild::let_go() && {
  write_all(gate_, "g");
  return std::move(child_);
}

CommandResult run_command(Command command) {
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  command.descriptors[output.write_end.get()] = STDOUT_FILENO;
  command.descriptors[errors.write_end.get()] = STDERR_FILENO;
  Child child = Child::start(command);
  {
    const Fd done = std::move(output.write_end);
  }
  {
    const Fd done = std::move(errors.write_end);
  }
  CommandResult result;
  drain(output.read_end, result.output, errors.read_end, result.errors);
  result.status = child.wait();
  return result;
}

std::string run_checked(Command command) {
  const std::string program = command.arguments[0];
  CommandResult result = run_command(std::move(command));
  if (result.status.ok()) return std::move(result.output);
  std::string message = program + " failed (" + result.status.describe() + ")";
  if (const std::string line = last_line(result.errors); !line.empty()) message += ": " + line;
  throw Error(ErrorKind::kRuntime, std::move(message));
}

std::string last_line(std::string_view text) {
  text = trim(text);
  return std::string(trim(text.substr(text.rfind('\n') + 1)));
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  if (name.contains('/')) {
    return is_program(name) ? std::optional<std::filesystem::path>(name) : std::nullopt;
  }
  const char* path = ::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    auto candidate = std::filesystem::path(directory) / name;
    if (is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

std::optional<uint64_t> process_start_time(pid_t pid) {
  const auto stat = process_stat(pid);
  return stat && !stat->has_ended() ? std::optional(stat->start_time) : std::nullopt;
}

ProcessIdentity identify_process(pid_t pid) {
  return {.pid = pid, .start_time = process_start_time(pid).value_or(0)};
}

bool is_alive(const ProcessIdentity& process) {
  return process.pid > 0 && process_start_time(process.pid) == process.start_time;
}

bool group_is_alive(pid_t group) {
  if (::kill(-group, 0) != 0 && errno == ESRCH) return false;
  // The signal also reaches zombies.
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    const auto stat = pid ? process_stat(static_cast<pid_t>(*pid)) : std::nullopt;
    if (stat && !stat->has_ended() && stat->group == group) return true;
  }
  return false;
}

std::vector<pid_t> stopped_processes(pid_t group) {
  std::vector<pid_t> stopped;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    const auto stat = pid ? process_stat(static_cast<pid_t>(*pid)) : std::nullopt;
    if (stat && stat->group == group && stat->state == 'T') {
      stopped.push_back(static_cast<pid_t>(*pid));
    }
  }
  return stopped;
}

std::optional<Fd> open_pidfd(pid_t pid) {
  const int fd = ::pidfd_open(pid, 0);
  if (fd >= 0) return Fd(fd);
  if (errno == ESRCH || errno == EINVAL) return std::nullopt;
  throw Error::system(errno, formatted("cannot open process {}", pid));
}

bool send_signal(const Fd& pidfd, int number) {
  if (::pidfd_send_signal(pidfd.get(), number, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw Error::system(errno, formatted("cannot send signal {}", number));
}

bool wait_for_exit(const Fd& pidfd, Deadline deadline) {
  for (;;) {
    pollfd source{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&source, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw Error::system(errno, "cannot wait for a process");
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

}  // namespace still
