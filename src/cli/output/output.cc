#include "cli/output/output.h"

#include <cctype>
#include <string_view>

#include "base/text.h"
#include "cli/output/table.h"
#include "cli/output/template.h"

namespace still::cli {
namespace {

constexpr std::string_view kTablePrefix = "table ";

// "RunningFor" -> "RUNNING FOR"
std::string default_header(const std::string& field) {
  std::string header;
  bool lower_before = false;
  for (const char c : field) {
    const auto byte = static_cast<unsigned char>(c);
    if (lower_before && std::isupper(byte) != 0) header += ' ';
    lower_before = std::islower(byte) != 0;
    header += static_cast<char>(std::toupper(byte));
  }
  return header;
}

// The object that, put through the table's template, gives the line of headers.
Json header_object(const ListFormat& format) {
  Json headers = Json::object();
  for (const auto& [name, value] : format.fields.items()) headers[name] = default_header(name);
  for (const auto& [name, header] : format.headers) headers[name] = header;
  return headers;
}

// In a table blanks between fields separate columns, too.
std::string with_tabs(std::string text) {
  constexpr std::string_view kBetween = "}} {{";
  for (size_t at = 0; (at = text.find(kBetween, at)) != std::string::npos;) {
    text.replace(at, kBetween.size(), "}}\t{{");
  }
  return text;
}

Row cells(const std::string& line) { return split(line, '\t'); }

std::string as_table(const std::vector<ListEntry>& entries, std::string_view text,
                     const ListFormat& format, bool heading) {
  const Template row(with_tabs(std::string(text)));
  std::vector<Row> rows;
  if (heading) rows.push_back(cells(row.render(header_object(format))));
  for (const ListEntry& entry : entries) rows.push_back(cells(row.render(entry.fields)));
  return format_table(rows);
}

std::string as_json(const std::vector<ListEntry>& entries) {
  Json list = Json::array();
  for (const ListEntry& entry : entries) list.push_back(entry.json);
  return pretty(list);
}

std::string as_lines(const std::vector<ListEntry>& entries, const std::string& text) {
  const Template line(text);
  std::string result;
  for (const ListEntry& entry : entries) result += line.render(entry.fields) + "\n";
  return result;
}

}  // namespace

std::string format_list(const std::vector<ListEntry>& entries, const ListFormat& format,
                        const ListOptions& options) {
  const std::string text = options.format.value_or(format.table);
  if (text == "json") return as_json(entries);
  if (!text.starts_with(kTablePrefix)) return as_lines(entries, text);
  return as_table(entries, std::string_view(text).substr(kTablePrefix.size()), format,
                  !options.no_heading);
}

std::string format_object(const Json& object, const std::string& format) {
  return format == "json" ? pretty(object) : Template(format).render(object) + "\n";
}

std::string pretty(const Json& value) {
  return value.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace still::cli
