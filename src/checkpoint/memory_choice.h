// How the memory of a checkpoint is to be cut.
#pragma once

#include <filesystem>

#include "checkpoint/plan.h"

namespace still::checkpoint {

// plan: complete but for this. answers: the directory in which the answers of self-tests are kept
// (memory/self_test.h). Throws Error(kSystem).
cut::MemoryChoice choose_memory(const subject::Subject& subject, const Plan& plan,
                                const std::filesystem::path& answers);

}  // namespace still::checkpoint
