// The one exception type of Still. Thrown anywhere, given context on the way up, caught once in
// cli/, where the kind becomes the exit code and message and hint become one line each.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace still {

enum class ErrorKind {
  kUsage,           // the caller's input is wrong: flags, names, values
  kNotFound,        // a named container, image, volume, file does not exist
  kConflict,        // the state forbids it: name taken, container running, target exists
  kUnsupported,     // known, but not offered by Still or by this machine
  kCorrupt,         // an archive, image or database is damaged or hostile
  kTimeout,         // a deadline passed
  kInterrupted,     // the user asked us to stop (SIGINT, SIGTERM)
  kSystem,          // a system call failed
  kAnotherWay,      // this way to do it failed, another one may succeed
  kRuntime,         // a part we call failed: OCI runtime, CRIU, conmon, skopeo
  kCannotExecute,   // the command inside the container cannot be invoked (exit code 126)
  kCommandMissing,  // the command inside the container does not exist (exit code 127)
  kInternal,        // a bug in Still
};

class Error : public std::exception {
 public:
  // message: what failed and why, one line, no trailing dot. hint: what to do about it, may be
  // empty.
  Error(ErrorKind kind, std::string message, std::string hint = {});

  // The error of a system call that has just failed: "WHAT: strerror(error_number)".
  // error_number is errno's value, read by the caller directly after the call.
  static Error system(int error_number, std::string_view what);

  // The user asked us to stop by a signal. what: what became of the work, "the checkpoint was
  // discarded".
  static Error interrupted(int signal, std::string_view what);

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  // The errno of a kSystem error, otherwise 0.
  int error_number() const noexcept { return error_number_; }
  // The signal of a kInterrupted error, otherwise 0.
  int signal() const noexcept { return signal_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // The same error seen from one level up: "CONTEXT: message". Kind, hint and errno stay.
  Error in(std::string_view context) const;
  // The same error with a (new) hint.
  Error with_hint(std::string hint) const;

 private:
  ErrorKind kind_;
  std::string message_;
  std::string hint_;
  int error_number_ = 0;
  int signal_ = 0;
};

// The exit code of the still command for this error: Podman's (125, 126, 127), and 128 + signal
// for one that was interrupted, as shells have it.
int exit_code(const Error& error);

}  // namespace still
