// --filter of lists: "key=value" conditions on the entries.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/output/container_view.h"

namespace still::cli {

// The conditions by key. Throws Error(kUsage) for one without "=" or with a key that is not known.
std::map<std::string, std::vector<std::string>> parse_filters(
    const std::vector<std::string>& filters, const std::vector<std::string>& known_keys);

// Whether labels hold "key" or "key=value".
bool has_label(const std::map<std::string, std::string>& labels, const std::string& condition);

// Filters of ps: id, name, status, label, volume, ancestor, exited. One value of several for a key
// is enough, but every label and every key must fit. Throws Error(kUsage).
std::function<bool(const ContainerView&)> container_filter(const std::vector<std::string>& filters);

}  // namespace still::cli
