// Columns of text, as Podman's lists look: cells at least ten wide, two blanks between columns.
#pragma once

#include <string>
#include <vector>

namespace still::cli {

using Row = std::vector<std::string>;

// One line per row, each ending with a newline, without blanks at its end.
std::string format_table(const std::vector<Row>& rows);

}  // namespace still::cli
