#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "store/database.h"

namespace still::store {
namespace {

constexpr std::string_view kSelect =
    "SELECT id, layers, config, size_bytes, created_at FROM images";

std::vector<std::string> read_names(SQLite::Database& database, const std::string& id) {
  SQLite::Statement query(database,
                          "SELECT name FROM image_names WHERE image_id = ? ORDER BY name");
  query.bind(1, id);
  std::vector<std::string> names;
  while (query.executeStep()) names.push_back(query.getColumn(0).getString());
  return names;
}

ImageRecord read_record(SQLite::Database& database, SQLite::Statement& row) {
  const std::string id = row.getColumn(0).getString();
  return {.id = id,
          .names = read_names(database, id),
          .layers = nlohmann::json::parse(row.getColumn(1).getString()),
          .config_json = row.getColumn(2).getString(),
          .size_bytes = static_cast<uint64_t>(row.getColumn(3).getInt64()),
          .created_at = std::chrono::nanoseconds(row.getColumn(4).getInt64())};
}

ImageRecord select_one(SQLite::Database& database, const std::string& id) {
  SQLite::Statement query(database, formatted("{} WHERE id = ?", kSelect));
  query.bind(1, id);
  if (!query.executeStep()) throw Error(ErrorKind::kNotFound, "no such image: " + id);
  return read_record(database, query);
}

void put_row(SQLite::Database& database, const ImageRecord& image) {
  SQLite::Statement insert(database, "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, image.id);
  insert.bind(2, nlohmann::json(image.layers).dump());
  insert.bind(3, image.config_json);
  insert.bind(4, static_cast<int64_t>(image.size_bytes));
  insert.bind(5, int64_t{image.created_at.count()});
  insert.exec();
}

void put_names(SQLite::Database& database, const ImageRecord& image) {
  SQLite::Statement insert(database, "INSERT OR REPLACE INTO image_names VALUES (?, ?)");
  for (const std::string& name : image.names) {
    insert.reset();
    insert.bind(1, name);
    insert.bind(2, image.id);
    insert.exec();
  }
}

std::optional<std::string> id_by_name(SQLite::Database& database, const std::string& name) {
  SQLite::Statement query(database, "SELECT image_id FROM image_names WHERE name = ?");
  query.bind(1, name);
  if (!query.executeStep()) return std::nullopt;
  return query.getColumn(0).getString();
}

// Whether the part after the last slash has a tag or digest.
bool has_tag(const std::string& name) {
  const size_t base = name.rfind('/') == std::string::npos ? 0 : name.rfind('/');
  return name.find_first_of(":@", base) != std::string::npos;
}

// The full names that a short one may stand for, the likeliest first.
std::vector<std::string> candidates(const std::string& reference) {
  const std::string tagged = has_tag(reference) ? reference : reference + ":latest";
  std::vector<std::string> names = {tagged, "localhost/" + tagged};
  if (!tagged.contains('/')) names.push_back("docker.io/library/" + tagged);
  names.push_back("docker.io/" + tagged);
  return names;
}

std::vector<std::string> all_ids(SQLite::Database& database) {
  SQLite::Statement query(database, "SELECT id FROM images");
  std::vector<std::string> ids;
  while (query.executeStep()) ids.push_back(query.getColumn(0).getString());
  return ids;
}

std::string find_id(SQLite::Database& database, const std::string& reference) {
  for (const std::string& name : candidates(reference)) {
    if (const auto id = id_by_name(database, name)) return *id;
  }
  constexpr std::string_view kPrefix = "sha256:";
  const bool prefixed = reference.starts_with(kPrefix);
  return match_id(all_ids(database), prefixed ? reference.substr(kPrefix.size()) : reference,
                  "image");
}

void check_unused(SQLite::Database& database, const std::string& id) {
  SQLite::Statement query(database, "SELECT name FROM containers WHERE image_id = ?");
  query.bind(1, id);
  if (!query.executeStep()) return;
  const std::string container = query.getColumn(0).getString();
  throw Error(ErrorKind::kConflict,
              formatted("image {} is used by the container \"{}\"", id.substr(0, 12), container),
              "remove the container first");
}

}  // namespace

void Store::put_image(const ImageRecord& image) {
  implementation_->write([&](SQLite::Database& database) {
    put_row(database, image);
    put_names(database, image);
  });
}

void Store::remove_image_name(const std::string& name) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement remove(database, "DELETE FROM image_names WHERE name = ?");
    remove.bind(1, name);
    remove.exec();
  });
}

void Store::remove_image(const std::string& id) {
  implementation_->write([&](SQLite::Database& database) {
    check_unused(database, id);
    SQLite::Statement remove(database, "DELETE FROM images WHERE id = ?");
    remove.bind(1, id);
    remove.exec();
  });
}

ImageRecord Store::find_image(const std::string& reference) {
  return implementation_->read([&](SQLite::Database& database) {
    return select_one(database, find_id(database, reference));
  });
}

std::vector<ImageRecord> Store::images() {
  return implementation_->read([&](SQLite::Database& database) {
    SQLite::Statement query(database, formatted("{} ORDER BY created_at, rowid", kSelect));
    std::vector<ImageRecord> records;
    while (query.executeStep()) records.push_back(read_record(database, query));
    return records;
  });
}

}  // namespace still::store
