// A private directory that goes away with its owner.
#pragma once

#include <filesystem>
#include <string_view>

namespace still {

class TempDir {
 public:
  // Makes a new directory PREFIXxxxxxx with mode 0700 in an existing parent. Throws Error(kSystem).
  TempDir(const std::filesystem::path& parent, std::string_view prefix);
  // Makes this directory, which must not exist, with mode 0700. Throws Error(kSystem).
  explicit TempDir(std::filesystem::path path);
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  // Removes it with all its content; a failure is logged as a warning.
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }
  // Removes it now. Throws Error(kSystem).
  void remove();
  // Leaves it on disk: ownership passes to whoever knows the path.
  std::filesystem::path keep();

 private:
  std::filesystem::path path_;  // empty: nothing to remove
};

}  // namespace still
