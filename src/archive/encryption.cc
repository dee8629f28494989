#include "archive/encryption.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "archive/reader.h"
#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "os/process.h"

namespace still::archive {
namespace {

constexpr std::chrono::milliseconds kProgressInterval{200};

// The first bytes of the binary and of the armored form, https://age-encryption.org/v1.
constexpr std::string_view kMagic = "age-encryption.org/v1\n";
constexpr std::string_view kArmorMagic = "-----BEGIN AGE ENCRYPTED FILE-----";

constexpr std::string_view kErrorPrefix = "age: error: ";

using Arguments = std::vector<std::string>;

// What age says is wrong; its hints are about its own command line.
std::string complaint(std::string_view errors) {
  for (const std::string& line : split(errors, '\n')) {
    if (line.starts_with(kErrorPrefix)) return printable(line.substr(kErrorPrefix.size()));
  }
  return printable(last_line(errors));
}

Arguments encrypting(const std::vector<std::string>& recipients) {
  Arguments arguments{"age", "--encrypt"};
  for (const std::string& recipient : recipients) {
    const bool is_key = recipient.starts_with("age1") || recipient.starts_with("ssh-");
    arguments.insert(arguments.end(), {is_key ? "--recipient" : "--recipients-file", recipient});
  }
  return arguments;
}

void require_age() {
  if (find_program("age")) return;
  throw Error(ErrorKind::kNotFound, "the program age, which encrypts archives, is not installed",
              "install the package age");
}

// An age that runs, its errors kept.
class Age {
 public:
  Age(Arguments arguments, int input, int output)
      : Age(std::move(arguments), input, output, make_pipe()) {}

  Child& process() { return child_; }

  // To be called when it ends or has been told to.
  std::string finish() {
    std::string errors;
    std::array<char, 4096> buffer{};
    const Source source = file_source(errors_);
    while (const size_t got = source(buffer.data(), buffer.size()))
      errors.append(buffer.data(), got);
    return child_.wait().ok() ? std::string() : complaint(errors);
  }

 private:
  Age(Arguments arguments, int input, int output, Pipe errors)
      : child_(Child::start({.arguments = std::move(arguments),
                             .environment = {},
                             .directory = {},
                             .descriptors = {{input, STDIN_FILENO},
                                             {output, STDOUT_FILENO},
                                             {errors.write_end.get(), STDERR_FILENO}},
                             .own_process_group = true})),
        errors_(std::move(errors.read_end)) {}

  Child child_;
  Fd errors_;
};

class Decryption {
 public:
  Decryption(const Fd& file, const std::filesystem::path& identity)
      : Decryption(file, identity, make_pipe()) {}

  size_t read(char* buffer, size_t size) {
    const size_t got = at_end_ ? 0 : file_source(output_)(buffer, size);
    has_output_ = has_output_ || got > 0;
    if (got > 0 || at_end_) return got;
    at_end_ = true;
    const std::string error = age_.finish();
    if (error.empty()) return 0;
    if (!has_output_) {
      throw Error(ErrorKind::kUsage, "the archive cannot be decrypted: " + error,
                  "name the right identity: --identity FILE");
    }
    throw Error(ErrorKind::kCorrupt, "the archive is damaged: age says: " + error);
  }

 private:
  Decryption(const Fd& file, const std::filesystem::path& identity, Pipe output)
      : age_({"age", "--decrypt", "--identity", identity.native()}, file.get(),
             output.write_end.get()),
        output_(std::move(output.read_end)) {}

  Age age_;
  Fd output_;  // closed before age is waited for: members go in reverse order
  bool has_output_ = false;
  bool at_end_ = false;
};

std::string read_start(const Fd& file) {
  std::string start(kArmorMagic.size(), '\0');
  size_t size = 0;
  while (const size_t got = file_source(file)(start.data() + size, start.size() - size))
    size += got;
  start.resize(size);
  return start;
}

// What was read already, then the rest: also of a pipe, where reading cannot begin again.
Source behind(std::string start, const Fd& file) {
  return [start = std::move(start), done = size_t{0}, rest = file_source(file)](
             char* buffer, size_t size) mutable {
    if (done == start.size()) return rest(buffer, size);
    const size_t copied = start.copy(buffer, size, done);
    done += copied;
    return copied;
  };
}

uint64_t position(const Fd& file) {
  return static_cast<uint64_t>(::lseek(file.get(), 0, SEEK_CUR));
}

}  // namespace

void check_recipients(const std::vector<std::string>& recipients) {
  if (recipients.empty()) return;
  require_age();
  const Fd null = open_file("/dev/null", O_RDWR);
  Age age(encrypting(recipients), null.get(), null.get());
  const std::string error = age.finish();
  if (error.empty()) return;
  throw Error(ErrorKind::kUsage, "age cannot encrypt to this recipient: " + error,
              "give a public key (age1..., ssh-...) or a file of such to --encrypt-to");
}

void encrypt_file(const Fd& plain, const Fd& encrypted, const std::vector<std::string>& recipients,
                  const std::function<void(uint64_t)>& progress) {
  if (::lseek(plain.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot seek");
  Age age(encrypting(recipients), plain.get(), encrypted.get());
  try {
    // Its descriptor is a copy of ours: both have one position.
    while (!age.process().wait_until(deadline_in(kProgressInterval))) progress(position(plain));
  } catch (...) {
    age.process().signal(SIGKILL);
    throw;
  }
  const std::string error = age.finish();
  if (!error.empty()) throw Error(ErrorKind::kSystem, "age cannot encrypt: " + error);
}

void check_identity(const std::filesystem::path& identity) {
  if (identity.empty() || path_exists(identity)) return;
  throw Error(ErrorKind::kNotFound,
              "the identity file " + printable(identity.native()) + " does not exist");
}

Source decrypting_source(const Fd& file, const std::filesystem::path& identity) {
  std::string start = read_start(file);
  if (!start.starts_with(kMagic) && start != kArmorMagic) return behind(std::move(start), file);
  if (identity.empty()) {
    throw Error(ErrorKind::kUsage, "the archive is encrypted", "add --identity FILE");
  }
  check_identity(identity);
  require_age();
  if (::lseek(file.get(), 0, SEEK_SET) != 0) {
    throw Error(ErrorKind::kUnsupported, "an encrypted archive must be a file, not a pipe",
                "decrypt it with age before, or name a file");
  }
  const auto decryption = std::make_shared<Decryption>(file, identity);
  return [decryption](char* buffer, size_t size) { return decryption->read(buffer, size); };
}

}  // namespace still::archive
