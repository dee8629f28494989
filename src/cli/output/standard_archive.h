// Archives named "-": from standard input, to standard output.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "os/temp_dir.h"
#include "store/layout.h"

namespace still::cli {

inline constexpr const char* kStandard = "-";

// An archive to read, which is read twice: standard input is kept in the store's staging directory
// for as long as the object lives.
class ArchiveInput {
 public:
  // Throws Error(kUsage) for a terminal, Error(kSystem).
  ArchiveInput(const store::Layout& layout, const std::string& name);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::optional<TempDir> directory_;
  std::filesystem::path path_;
};

// Where an archive is written that goes to standard output: in staging, for its first bytes are
// written last.
class ArchiveOutput {
 public:
  // Throws Error(kUsage) if standard output is a terminal, Error(kSystem).
  explicit ArchiveOutput(const store::Layout& layout);
  std::filesystem::path path() const { return directory_.path() / "archive"; }
  // Throws Error(kSystem): a pipe whose reader has gone, for one.
  void send() const;

 private:
  const TempDir directory_;
};

}  // namespace still::cli
