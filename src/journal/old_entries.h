// Entries as they were before they had steps: one record with the fields of every feature.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "journal/entry.h"

namespace still::journal {

bool is_old_entry(const nlohmann::json& json);

// The same as steps, so that they are undone in the order in which those versions did it. A key
// that is missing was not there yet. containers: of the store; they know when the init started
// whose number is all that the entry has. Throws nlohmann::json::exception.
Entry convert_old_entry(const nlohmann::json& json,
                        const std::vector<store::ContainerRecord>& containers);

}  // namespace still::journal
