#include "sources/foreign/shim.h"

#include <nlohmann/json.hpp>

#include "os/files.h"

namespace still::sources {

using nlohmann::json;

void read_shim(Statement& statement, const std::filesystem::path& state,
               const std::string& name_space) {
  const auto bundle = state / "io.containerd.runtime.v2.task" / name_space / statement.id;
  if (!path_exists(bundle)) return;
  json options =
      json::parse(read_file_if_exists(bundle / "options.json").value_or("{}"), nullptr, false);
  if (!options.is_object()) options = json::object();
  const std::string program = options.value("binary_name", "");
  const std::string root = options.value("root", "");
  statement.bundle = bundle;
  statement.runtime = program.empty() ? "runc" : program;
  statement.runtime_root =
      (root.empty() ? state / "runc" : std::filesystem::path(root)) / name_space;
}

}  // namespace still::sources
