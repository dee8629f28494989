#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/text.h"
#include "store/database.h"

namespace still::store {
namespace {

constexpr std::array<std::string_view, 4> kStatusNames = {"created", "running", "paused", "exited"};

ContainerStatus parse_status(const std::string& text) {
  const auto found = std::ranges::find(kStatusNames, text);
  if (found == kStatusNames.end()) {
    throw Error(ErrorKind::kCorrupt, "the database has a container that is \"" + text + "\"");
  }
  return static_cast<ContainerStatus>(found - kStatusNames.begin());
}

constexpr const char* kColumns =
    "id, name, image_id, config, created_at, status, pid, pid_start_time, boot_id, exit_code, "
    "started_at, finished_at, checkpointed, checkpointed_at, checkpoint_path, checkpoint_log, "
    "restored, restored_at, restore_log, made_by";

constexpr size_t kColumnCount = 20;

// Hands out the columns of a row, or the parameters of a statement, one after the other.
class Reader {
 public:
  explicit Reader(SQLite::Statement& row) : row_(row) {}
  std::string text() { return next().getString(); }
  int64_t number() { return next().getInt64(); }
  std::chrono::nanoseconds moment() { return std::chrono::nanoseconds(number()); }

 private:
  SQLite::Column next() { return row_.getColumn(index_++); }
  SQLite::Statement& row_;
  int index_ = 0;
};

ContainerRecord read_record(SQLite::Statement& row) {
  Reader reader(row);
  ContainerRecord record;
  record.id = reader.text();
  record.name = reader.text();
  record.image_id = reader.text();
  record.config_json = reader.text();
  record.created_at = reader.moment();
  record.status = parse_status(reader.text());
  record.pid = static_cast<pid_t>(reader.number());
  record.pid_start_time = static_cast<uint64_t>(reader.number());
  record.boot_id = reader.text();
  record.exit_code = static_cast<int>(reader.number());
  record.started_at = reader.moment();
  record.finished_at = reader.moment();
  record.checkpointed = reader.number() != 0;
  record.checkpointed_at = reader.moment();
  record.checkpoint_path = reader.text();
  record.checkpoint_log = reader.text();
  record.restored = reader.number() != 0;
  record.restored_at = reader.moment();
  record.restore_log = reader.text();
  record.made_by = reader.text();
  return record;
}

class Binder {
 public:
  explicit Binder(SQLite::Statement& statement) : statement_(statement) {}
  Binder& text(const std::string& value) { return statement_.bind(index_++, value), *this; }
  Binder& number(int64_t value) { return statement_.bind(index_++, value), *this; }
  Binder& moment(std::chrono::nanoseconds value) { return number(value.count()); }
  // The empty string as NULL: a foreign key that is not there.
  Binder& key(const std::string& value) {
    return value.empty() ? (statement_.bind(index_++), *this) : text(value);
  }

 private:
  SQLite::Statement& statement_;
  int index_ = 1;
};

// In the order of kColumns.
void bind_record(SQLite::Statement& statement, const ContainerRecord& record) {
  Binder(statement)
      .text(record.id)
      .text(record.name)
      .key(record.image_id)
      .text(record.config_json)
      .moment(record.created_at)
      .text(to_string(record.status))
      .number(record.pid)
      .number(static_cast<int64_t>(record.pid_start_time))
      .text(record.boot_id)
      .number(record.exit_code)
      .moment(record.started_at)
      .moment(record.finished_at)
      .number(record.checkpointed)
      .moment(record.checkpointed_at)
      .text(record.checkpoint_path)
      .text(record.checkpoint_log)
      .number(record.restored)
      .moment(record.restored_at)
      .text(record.restore_log)
      .text(record.made_by);
}

std::string placeholders(size_t count) { return join(std::vector<std::string>(count, "?"), ", "); }

std::optional<ContainerRecord> select_one(SQLite::Database& database, const std::string& column,
                                          const std::string& value) {
  SQLite::Statement query(database,
                          formatted("SELECT {} FROM containers WHERE {} = ?", kColumns, column));
  query.bind(1, value);
  if (!query.executeStep()) return std::nullopt;
  return read_record(query);
}

std::vector<std::string> all_ids(SQLite::Database& database) {
  SQLite::Statement query(database, "SELECT id FROM containers");
  std::vector<std::string> ids;
  while (query.executeStep()) ids.push_back(query.getColumn(0).getString());
  return ids;
}

void check_name_is_free(SQLite::Database& database, const ContainerRecord& container) {
  const auto holder = select_one(database, "name", container.name);
  if (!holder || holder->id == container.id) return;
  throw Error(ErrorKind::kConflict,
              formatted("the container name \"{}\" is already in use by {}", container.name,
                        holder->id.substr(0, 12)),
              "remove that container, or choose another name");
}

void check_image_exists(SQLite::Database& database, const std::string& image_id) {
  if (image_id.empty()) return;
  SQLite::Statement query(database, "SELECT 1 FROM images WHERE id = ?");
  query.bind(1, image_id);
  if (!query.executeStep()) throw Error(ErrorKind::kNotFound, "no such image: " + image_id);
}

}  // namespace

std::string to_string(ContainerStatus status) {
  return std::string(kStatusNames.at(static_cast<size_t>(status)));
}

void Store::add_container(const ContainerRecord& container) {
  implementation_->write([&](SQLite::Database& database) {
    check_name_is_free(database, container);
    check_image_exists(database, container.image_id);
    if (const auto holder = select_one(database, "id", container.id)) {
      throw Error(ErrorKind::kConflict, formatted("the container id {} is already in use by \"{}\"",
                                                  container.id, holder->name));
    }
    SQLite::Statement insert(database, formatted("INSERT INTO containers ({}) VALUES ({})",
                                                 kColumns, placeholders(kColumnCount)));
    bind_record(insert, container);
    insert.exec();
  });
}

void Store::update_container(const ContainerRecord& container) {
  implementation_->write([&](SQLite::Database& database) {
    check_name_is_free(database, container);
    SQLite::Statement update(database, formatted("UPDATE containers SET ({}) = ({}) WHERE id = ?1",
                                                 kColumns, placeholders(kColumnCount)));
    bind_record(update, container);
    if (update.exec() == 0) {
      throw Error(ErrorKind::kNotFound, "the container " + container.name + " is gone");
    }
  });
}

void Store::remove_container(const std::string& id) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement remove(database, "DELETE FROM containers WHERE id = ?");
    remove.bind(1, id);
    remove.exec();
  });
}

ContainerRecord Store::find_container(const std::string& reference) {
  return implementation_->read([&](SQLite::Database& database) {
    if (auto by_name = select_one(database, "name", reference)) return *by_name;
    const std::string id = match_id(all_ids(database), reference, "container");
    return select_one(database, "id", id).value();
  });
}

std::optional<ContainerRecord> Store::container_by_name(const std::string& name) {
  return implementation_->read(
      [&](SQLite::Database& database) { return select_one(database, "name", name); });
}

std::vector<ContainerRecord> Store::containers() {
  return implementation_->read([&](SQLite::Database& database) {
    SQLite::Statement query(database, formatted("SELECT {} FROM containers ORDER BY created_at, "
                                                "rowid",
                                                kColumns));
    std::vector<ContainerRecord> records;
    while (query.executeStep()) records.push_back(read_record(query));
    return records;
  });
}

}  // namespace still::store
