// What became of a checkpoint.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "criu/criu.h"
#include "cut/memory.h"
#include "cut/window.h"
#include "memory/merge.h"
#include "tree/mirror.h"

namespace still::checkpoint {

struct CheckpointResult {
  bool consistent = false;
  std::string inconsistent_because;   // empty when consistent
  std::vector<std::string> left_out;  // processes that exec had brought in, "12 (sleep)"
  cut::Cut cut;                       // on the default path only dump_start and dump_end
  cut::MemoryChoice memory_choice;    // as Plan, or what it came to on the way
  memory::MergeTotals memory;         // what the copies held
  tree::PassTotals cut_pass;          // what the cut of a live checkpoint looked at and copied
  std::optional<criu::DumpStatistics> criu;
  std::chrono::nanoseconds total{};
  uint64_t archive_bytes = 0;  // 0 without an archive
  // Of CRIU's images that stay for a restore in place; 0 for a live checkpoint, and when the
  // container was removed.
  uint64_t stored_bytes = 0;
};

}  // namespace still::checkpoint
