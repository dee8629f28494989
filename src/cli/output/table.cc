#include "cli/output/table.h"

#include <algorithm>

namespace still::cli {
namespace {

constexpr size_t kLeastWidth = 12;  // with the gap
constexpr size_t kGap = 2;

// Code points: continuation bytes of UTF-8 take no room.
size_t width(const std::string& cell) {
  return static_cast<size_t>(std::ranges::count_if(
      cell, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<size_t> column_widths(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size(), kLeastWidth);
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i]) + kGap);
    }
  }
  return widths;
}

std::string format_row(const Row& row, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths[i] - width(row[i]), ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string format_table(const std::vector<Row>& rows) {
  const auto widths = column_widths(rows);
  std::string text;
  for (const Row& row : rows) text += format_row(row, widths);
  return text;
}

}  // namespace still::cli
