#include "cli/output/template.h"

#include <cctype>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cli/output/template_value.h"

namespace still::cli {
namespace {

using Nodes = std::vector<std::unique_ptr<Template::Node>>;

// One operand: a path ("." is the empty one), a literal, or a name, which is a function.
struct Term {
  enum Kind { kPath, kLiteral, kFunction } kind;
  std::vector<std::string> path;
  Json literal;
  std::string function;
};
using Call = std::vector<Term>;
using Pipeline = std::vector<Call>;

Error template_error(const std::string& problem) {
  return Error(ErrorKind::kUsage, "template: " + problem,
               "for example: --format '{{.Names}} {{json .Labels}}'");
}

}  // namespace

struct Template::Node {
  enum Kind { kText, kOutput, kIf, kRange } kind;
  std::string text;
  Pipeline pipeline;
  Nodes body;
  Nodes otherwise;
};

namespace {

// --- reading the inside of {{ }} ---

// Splits at spaces and "|", keeping "quoted strings" whole.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!(text = trim(text)).empty()) {
    size_t length = 1;
    if (text[0] == '"' || text[0] == '`') {
      length = text.find(text[0], 1);
      if (length == std::string_view::npos) throw template_error("unterminated quoted string");
      ++length;
    } else if (text[0] != '|') {
      length = std::min(text.find_first_of(" \t\n|\"`"), text.size());
    }
    words.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return words;
}

bool is_name(std::string_view text) {
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return !text.empty();
}

Term parse_path(const std::string& word) {
  Term term{Term::kPath, {}, {}, {}};
  if (word == ".") return term;
  term.path = split(std::string_view(word).substr(1), '.');
  for (const std::string& name : term.path) {
    if (!is_name(name)) throw template_error("\"" + printable(word) + "\" is no field");
  }
  return term;
}

Term parse_term(const std::string& word) {
  if (word[0] == '.') return parse_path(word);
  if (word[0] == '"' || word[0] == '`') {
    return {Term::kLiteral, {}, word.substr(1, word.size() - 2), {}};
  }
  if (const auto number = parse_integer(word)) return {Term::kLiteral, {}, *number, {}};
  if (word == "true" || word == "false") return {Term::kLiteral, {}, word == "true", {}};
  if (!is_name(word)) throw template_error("unexpected \"" + printable(word) + "\"");
  return {Term::kFunction, {}, {}, word};
}

Pipeline parse_pipeline(std::string_view text) {
  Pipeline pipeline(1);
  for (const std::string& word : words_of(text)) {
    if (word == "|") {
      pipeline.emplace_back();
    } else {
      pipeline.back().push_back(parse_term(word));
    }
  }
  for (const Call& call : pipeline) {
    if (call.empty()) throw template_error("{{" + printable(text) + "}} names nothing to print");
  }
  return pipeline;
}

// --- reading the whole ---

// Outside of {{ }} shells leave \t and \n as two characters.
std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next != 't' && next != 'n') {
      result += text[i];
      continue;
    }
    result += next == 't' ? '\t' : '\n';
    ++i;
  }
  return result;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Nodes parse_all() {
    Nodes nodes = parse_block();
    if (!ended_by_.empty()) throw template_error("unexpected {{" + ended_by_ + "}}");
    return nodes;
  }

 private:
  // Up to {{end}}, {{else}} or the end of the text; ended_by_ says which.
  Nodes parse_block() {
    Nodes nodes;
    for (;;) {
      add_text(nodes);
      ended_by_.clear();
      const auto action = next_action();
      if (!action) return nodes;
      if (*action == "end" || *action == "else") {
        ended_by_ = *action;
        return nodes;
      }
      nodes.push_back(parse_action(*action));
    }
  }

  void add_text(Nodes& nodes) {
    std::string_view text = rest_.substr(0, rest_.find("{{"));
    rest_.remove_prefix(text.size());
    if (std::exchange(trim_left_, false)) {
      text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
    }
    if (rest_.starts_with("{{- ")) text = text.substr(0, text.find_last_not_of(" \t\n") + 1);
    if (text.empty()) return;
    nodes.push_back(std::make_unique<Template::Node>(
        Template::Node{Template::Node::kText, unescape(text), {}, {}, {}}));
  }

  // The inside of the next {{ }}; nullopt at the end of the text.
  std::optional<std::string> next_action() {
    if (rest_.empty()) return std::nullopt;
    const size_t end = rest_.find("}}");
    if (end == std::string_view::npos) throw template_error("{{ without }}");
    std::string_view inside = rest_.substr(2, end - 2);
    rest_.remove_prefix(end + 2);
    if (inside.starts_with("- ")) inside.remove_prefix(1);
    if (inside.ends_with(" -")) {
      inside.remove_suffix(1);
      trim_left_ = true;
    }
    return std::string(trim(inside));
  }

  std::unique_ptr<Template::Node> parse_action(std::string_view action) {
    auto node = std::make_unique<Template::Node>();
    node->kind = Template::Node::kOutput;
    if (action.starts_with("if ")) {
      node->kind = Template::Node::kIf;
      action.remove_prefix(3);
    } else if (action.starts_with("range ")) {
      node->kind = Template::Node::kRange;
      action.remove_prefix(6);
    }
    node->pipeline = parse_pipeline(action);
    if (node->kind != Template::Node::kOutput) parse_bodies(*node);
    return node;
  }

  void parse_bodies(Template::Node& node) {
    node.body = parse_block();
    if (ended_by_ == "else") node.otherwise = parse_block();
    if (ended_by_ != "end") throw template_error("{{if}} or {{range}} without {{end}}");
    ended_by_.clear();
  }

  std::string_view rest_;
  std::string ended_by_;
  bool trim_left_ = false;  // the last action ended with -}}
};

// --- rendering ---

Json evaluate_term(const Term& term, const Json& dot) {
  if (term.kind == Term::kLiteral) return term.literal;
  if (term.kind == Term::kFunction) return call_function(term.function, {});
  const Json* value = &dot;
  for (const std::string& name : term.path) value = &field(*value, name);
  return *value;
}

// A call is a function and its arguments, or one value; what came through the pipe is the last
// argument.
Json evaluate_call(const Call& call, const Json& dot, const std::optional<Json>& piped) {
  const bool function = call.front().kind == Term::kFunction;
  if (!function && (call.size() > 1 || piped)) throw template_error("a value is no function");
  if (!function) return evaluate_term(call.front(), dot);
  std::vector<Json> arguments;
  for (size_t i = 1; i < call.size(); ++i) arguments.push_back(evaluate_term(call[i], dot));
  if (piped) arguments.push_back(*piped);
  return call_function(call.front().function, arguments);
}

Json evaluate(const Pipeline& pipeline, const Json& dot) {
  std::optional<Json> result;
  for (const Call& call : pipeline) result = evaluate_call(call, dot, result);
  return *result;
}

std::string render_nodes(const Nodes& nodes, const Json& dot);

std::string render_range(const Template::Node& node, const Json& dot) {
  const Json list = evaluate(node.pipeline, dot);
  if (!list.is_structured() && !list.is_null()) throw template_error("range over a single value");
  if (list.empty()) return render_nodes(node.otherwise, dot);
  std::string text;
  for (const Json& element : list) text += render_nodes(node.body, element);
  return text;
}

std::string render_node(const Template::Node& node, const Json& dot) {
  switch (node.kind) {
    case Template::Node::kText:
      return node.text;
    case Template::Node::kOutput:
      return go_text(evaluate(node.pipeline, dot));
    case Template::Node::kIf:
      return render_nodes(is_true(evaluate(node.pipeline, dot)) ? node.body : node.otherwise, dot);
    case Template::Node::kRange:
      return render_range(node, dot);
  }
  std::unreachable();
}

std::string render_nodes(const Nodes& nodes, const Json& dot) {
  std::string text;
  for (const auto& node : nodes) text += render_node(*node, dot);
  return text;
}

}  // namespace

Template::Template(std::string_view text) : nodes_(Parser(text).parse_all()) {}
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;

std::string Template::render(const Json& value) const { return render_nodes(nodes_, value); }

}  // namespace still::cli
