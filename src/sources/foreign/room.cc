#include "sources/foreign/room.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "oci/runtime.h"
#include "os/files.h"

namespace still::sources {
namespace {

using nlohmann::json;

constexpr const char* kRuncState = "state.json";

TempDir make_anew(const std::filesystem::path& directory) {
  remove_tree(directory);
  return TempDir(directory);
}

void require_state(const std::filesystem::path& state, const std::string& runtime) {
  if (path_exists(state)) return;
  throw Error(ErrorKind::kNotFound,
              formatted("{} knows nothing of the container: its state, {}, is gone", runtime,
                        printable(state.native())),
              "restart the container, or name the directory that has it (--runtime-root)");
}

// Regular files alone: a fifo is there of a container that has not been started.
void copy_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  make_directories(to, 0700);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    write_file_atomically(to / entry.path().filename(), read_file(entry.path()), 0600);
  }
}

}  // namespace

Room::Room(const std::filesystem::path& directory, const std::string& runtime,
           const std::filesystem::path& state, const std::string& id)
    : directory_(make_anew(directory)) {
  require_state(state, runtime);
  const auto copy = state_root() / id;
  copy_files(state, copy);
  if (runtime != "runc") return;
  criu_overrides_ = directory / "criu.conf";
  const auto file = copy / kRuncState;
  write_file_atomically(file, with_criu_configuration(read_file(file), criu_overrides_), 0600);
}

std::string with_criu_configuration(const std::string& state_json,
                                    const std::filesystem::path& file) try {
  json state = json::parse(state_json);
  const std::string key = std::string(oci::kCriuConfigurationAnnotation) + "=";
  json labels = json::array({key + file.native()});
  for (const json& label : state.at("config").value("labels", json::array())) {
    if (!label.get<std::string>().starts_with(key)) labels.push_back(label);
  }
  state["config"]["labels"] = std::move(labels);
  return state.dump();
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt,
              std::string("runc's state of the container is damaged: ") + printable(error.what()));
}

}  // namespace still::sources
