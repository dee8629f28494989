// What a dry run of a checkpoint tells.
#pragma once

#include <string>

#include "base/error.h"
#include "checkpoint/estimate.h"
#include "checkpoint/plan.h"
#include "cli/output/json.h"

namespace still::cli {

// Lines of a word and what it is about, the verdict last.
std::string plan_text(const checkpoint::Plan& plan, const checkpoint::Estimate& estimate);

// The same for programs; Possible is true.
Json plan_json(const checkpoint::Plan& plan, const checkpoint::Estimate& estimate);

// A container that cannot be checkpointed, and why: Possible is false, and what was not found out
// is null.
Json refusal_json(const std::string& container_id, const std::string& container_name,
                  const Error& refusal);

}  // namespace still::cli
