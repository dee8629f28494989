// Reading the log that conmon writes (format k8s-file: "TIME STREAM F|P text").
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "os/fd.h"

namespace still::engine {

struct LogOptions {
  std::optional<uint64_t> tail;  // only the last lines
  bool timestamps = false;
};

// Writes the container's own stdout to output and its stderr to errors. With follow: goes on as the
// log grows until still_running says no and the rest has been written.
void print_log(const std::filesystem::path& log, const LogOptions& options, const Fd& output,
               const Fd& errors, const std::function<bool()>& still_running);

}  // namespace still::engine
