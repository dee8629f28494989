// The part of Go's text/template that users of --format write: {{.A.B}}, {{json .A}}, pipes,
// {{if}} {{else}} {{end}}, {{range}}, {{- trimming -}}; literal text with \t and \n.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/json.h"

namespace still::cli {

class Template {
 public:
  // Throws Error(kUsage) with what is wrong for text that is no template.
  explicit Template(std::string_view text);
  ~Template();
  Template(Template&&) noexcept;

  // Throws Error(kUsage) for a field that value does not have.
  std::string render(const Json& value) const;

  struct Node;

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace still::cli
