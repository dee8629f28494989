// What unit tests share.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "os/fd.h"
#include "os/temp_dir.h"

namespace still::test {

// Whether a test that cannot run must fail instead of being skipped (docs/testing.md).
inline bool must_run() {
  const char* value = std::getenv("STILL_TESTS_MUST_RUN");
  return value != nullptr && std::string_view(value) == "1";
}

// For the start of a test: ends it as skipped, or failed where every test must run.
#define STILL_REQUIRE(condition, what)                           \
  do {                                                           \
    if (!(condition)) {                                          \
      if (still::test::must_run()) FAIL() << "needs " << (what); \
      GTEST_SKIP() << "needs " << (what);                        \
    }                                                            \
  } while (false)

#define STILL_REQUIRE_ROOT() STILL_REQUIRE(::geteuid() == 0, "root")

// A directory that is removed at the end of the test.
class Scratch {
 public:
  Scratch() : directory_(std::filesystem::temp_directory_path(), "still-test-") {}
  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return path() / name; }
  // Makes a subdirectory.
  std::filesystem::path make(const std::string& name) const;

 private:
  TempDir directory_;
};

// Limits the number of the highest descriptor of this process for the time of its life.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(unsigned limit);
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

Fd open_dir(const std::filesystem::path& path);
// os/inode_flags.h of an entry. The second: false where they cannot be set.
uint32_t flags_of(const std::filesystem::path& path);
bool set_flags(const std::filesystem::path& path, uint32_t flags);
void write_text(const std::filesystem::path& path, std::string_view text);

// The kind of error that a call throws; fails the test if it throws none.
template <typename Call>
ErrorKind kind_thrown_by(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no Error was thrown";
  return ErrorKind::kInternal;
}

// The message of the error that a call throws; fails the test if it throws none.
template <typename Call>
std::string message_thrown_by(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

}  // namespace still::test
