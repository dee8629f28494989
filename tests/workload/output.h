// Where the programs here say what they see: standard output, or a file.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace workload {

class Output {
 public:
  // An empty path is standard output.
  explicit Output(std::filesystem::path file) : file_(std::move(file)) {}

  // One write() per line, so that lines of several processes do not mix. A file is opened for each
  // line: CRIU compares the sizes of open files on restore, and this one may go on meanwhile.
  void line(std::string_view text) const {
    const std::string whole = std::string(text) + '\n';
    if (file_.empty()) return write_all(STDOUT_FILENO, whole);
    const int fd = open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), file_);
    try {
      write_all(fd, whole);
    } catch (...) {
      close(fd);
      throw;
    }
    close(fd);
  }

 private:
  static void write_all(int fd, const std::string& text) {
    if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::system_error(errno, std::generic_category(), "cannot write a report");
  }

  std::filesystem::path file_;
};

}  // namespace workload
