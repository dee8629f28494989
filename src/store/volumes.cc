#include <nlohmann/json.hpp>

#include "base/format.h"
#include "store/database.h"

namespace still::store {
namespace {

constexpr std::string_view kSelect =
    "SELECT name, created_at, anonymous, labels, made_by FROM volumes";

VolumeRecord read_record(SQLite::Statement& row) {
  return {.name = row.getColumn(0).getString(),
          .created_at = std::chrono::nanoseconds(row.getColumn(1).getInt64()),
          .anonymous = row.getColumn(2).getInt() != 0,
          .labels = nlohmann::json::parse(row.getColumn(3).getString()),
          .made_by = row.getColumn(4).getString()};
}

std::optional<VolumeRecord> select_one(SQLite::Database& database, const std::string& name) {
  SQLite::Statement query(database, formatted("{} WHERE name = ?", kSelect));
  query.bind(1, name);
  if (!query.executeStep()) return std::nullopt;
  return read_record(query);
}

}  // namespace

void Store::add_volume(const VolumeRecord& volume) {
  implementation_->write([&](SQLite::Database& database) {
    if (select_one(database, volume.name)) {
      throw Error(ErrorKind::kConflict, "a volume \"" + volume.name + "\" exists already",
                  "use it, or choose another name");
    }
    SQLite::Statement insert(database, "INSERT INTO volumes VALUES (?, ?, ?, ?, ?)");
    insert.bind(1, volume.name);
    insert.bind(2, int64_t{volume.created_at.count()});
    insert.bind(3, static_cast<int>(volume.anonymous));
    insert.bind(4, nlohmann::json(volume.labels).dump());
    insert.bind(5, volume.made_by);
    insert.exec();
  });
}

void Store::remove_volume(const std::string& name) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement remove(database, "DELETE FROM volumes WHERE name = ?");
    remove.bind(1, name);
    remove.exec();
  });
}

std::optional<VolumeRecord> Store::volume(const std::string& name) {
  return implementation_->read(
      [&](SQLite::Database& database) { return select_one(database, name); });
}

std::vector<VolumeRecord> Store::volumes() {
  return implementation_->read([&](SQLite::Database& database) {
    SQLite::Statement query(database, formatted("{} ORDER BY name", kSelect));
    std::vector<VolumeRecord> records;
    while (query.executeStep()) records.push_back(read_record(query));
    return records;
  });
}

}  // namespace still::store
