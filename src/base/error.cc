#include "base/error.h"

#include <cstring>
#include <system_error>
#include <utility>

#include "base/format.h"

namespace still {

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : kind_(kind), message_(std::move(message)), hint_(std::move(hint)) {}

Error Error::system(int error_number, std::string_view what) {
  Error error(ErrorKind::kSystem,
              std::string(what) + ": " + std::generic_category().message(error_number));
  error.error_number_ = error_number;
  return error;
}

Error Error::interrupted(int signal, std::string_view what) {
  Error error(ErrorKind::kInterrupted,
              formatted("interrupted by signal {} ({}); {}", signal, ::strsignal(signal), what));
  error.signal_ = signal;
  return error;
}

Error Error::in(std::string_view context) const {
  Error outer = *this;
  outer.message_ = std::string(context) + ": " + message_;
  return outer;
}

Error Error::with_hint(std::string hint) const {
  Error hinted = *this;
  hinted.hint_ = std::move(hint);
  return hinted;
}

int exit_code(const Error& error) {
  constexpr int kSignalBase = 128;
  switch (error.kind()) {
    case ErrorKind::kCannotExecute:
      return 126;
    case ErrorKind::kCommandMissing:
      return 127;
    case ErrorKind::kInterrupted:
      return kSignalBase + error.signal();
    default:
      return 125;
  }
}

}  // namespace still
