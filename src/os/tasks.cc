#include "os/tasks.h"

#include <algorithm>
#include <filesystem>

#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/proc_entries.h"
#include "os/process_status.h"

namespace still {
namespace {

std::vector<pid_t> parse_numbers(std::string_view text, char separator) {
  std::vector<pid_t> numbers;
  for (const std::string& word : split(text, separator)) {
    if (const auto number = parse_integer(word)) numbers.push_back(static_cast<pid_t>(*number));
  }
  return numbers;
}

}  // namespace

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> threads;
  for_each_proc_entry(formatted("/proc/{}/task", process), [&](const std::filesystem::path& entry) {
    if (const auto tid = parse_integer(entry.filename().native())) {
      threads.push_back(static_cast<pid_t>(*tid));
    }
  });
  std::ranges::sort(threads);
  const auto first = std::ranges::find(threads, process);
  if (first != threads.end()) std::rotate(threads.begin(), first, first + 1);
  return threads;
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  for (const pid_t thread : threads_of(process)) {
    const auto list = read_file_if_exists(formatted("/proc/{}/task/{}/children", process, thread));
    const auto some = parse_numbers(list.value_or(""), ' ');
    children.insert(children.end(), some.begin(), some.end());
  }
  return children;
}

std::vector<pid_t> numbers_of(pid_t task) {
  return parse_numbers(process_status_field(task, "NSpid").value_or(""), '\t');
}

pid_t inner_pid(pid_t task) {
  const auto numbers = numbers_of(task);
  return numbers.empty() ? 0 : numbers.back();
}

}  // namespace still
