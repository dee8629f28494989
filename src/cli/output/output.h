// Lists of things, printed as --format asks: a table, JSON, or a Go template per row.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/output/json.h"

namespace still::cli {

struct ListFormat {
  std::string table;                           // the default template, "table {{.ID}}\t{{.Names}}"
  std::map<std::string, std::string> headers;  // field -> header, where it is not FIELD in capitals
  Json fields;  // any entry's fields: a list without entries has headers all the same
};

struct ListOptions {
  std::optional<std::string> format;  // --format
  bool no_heading = false;
};

// One thing: what `--format json` shows of it, and the fields that templates may name.
struct ListEntry {
  Json json;
  Json fields;
};

// The text to print. Throws Error(kUsage) for a template that is none.
std::string format_list(const std::vector<ListEntry>& entries, const ListFormat& format,
                        const ListOptions& options);

// One object (inspect, info, version) by a template; "json" prints all of it.
std::string format_object(const Json& object, const std::string& format);

// JSON as Podman writes it to a terminal: four blanks per level, a newline at the end.
std::string pretty(const Json& value);

}  // namespace still::cli
