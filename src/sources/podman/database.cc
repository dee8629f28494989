#include "sources/podman/database.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still::sources {
namespace {

constexpr int kBusyMilliseconds = 10000;

// The column JSON of a table of libpod's.
std::string read_json(SQLite::Database& database, const std::string& table, const std::string& id) {
  SQLite::Statement query(database, "SELECT JSON FROM " + table + " WHERE ID = ?");
  query.bind(1, id);
  if (query.executeStep()) return query.getColumn(0).getString();
  throw Error(ErrorKind::kNotFound, "podman's database has no container " + printable(id));
}

std::string network_status(const std::string& state) {
  const auto json = nlohmann::json::parse(state, nullptr, false);
  if (!json.is_object() || !json.contains("networkStatus")) return "null";
  return json["networkStatus"].dump();
}

}  // namespace

PodmanRecord read_podman_record(const std::filesystem::path& graph_root,
                                const std::string& id) try {
  const auto file = graph_root / "db.sql";
  if (!path_exists(file)) {
    throw Error(ErrorKind::kUnsupported,
                "podman's database is not where Still can read it: " + printable(file.native()),
                "Still reads the SQLite database that Podman 5 has by default");
  }
  SQLite::Database database(file, SQLite::OPEN_READONLY, kBusyMilliseconds);
  return {.config = read_json(database, "ContainerConfig", id),
          .network_status = network_status(read_json(database, "ContainerState", id))};
} catch (const SQLite::Exception& error) {
  throw Error(ErrorKind::kRuntime,
              std::string("podman's database cannot be read: ") + printable(error.what()));
}

}  // namespace still::sources
