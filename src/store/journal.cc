#include "store/database.h"

namespace still::store {

void Store::put_journal_entry(const std::string& key, const std::string& json) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement put(database,
                          "INSERT INTO journal VALUES (?, ?) "
                          "ON CONFLICT (key) DO UPDATE SET entry = excluded.entry");
    put.bind(1, key);
    put.bind(2, json);
    put.exec();
  });
}

void Store::remove_journal_entry(const std::string& key) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement remove(database, "DELETE FROM journal WHERE key = ?");
    remove.bind(1, key);
    remove.exec();
  });
}

std::vector<std::string> Store::journal() {
  return implementation_->read([](SQLite::Database& database) {
    SQLite::Statement query(database, "SELECT entry FROM journal ORDER BY rowid");
    std::vector<std::string> entries;
    while (query.executeStep()) entries.push_back(query.getColumn(0).getString());
    return entries;
  });
}

std::optional<std::string> Store::journal_entry(const std::string& key) {
  return implementation_->read([&](SQLite::Database& database) -> std::optional<std::string> {
    SQLite::Statement query(database, "SELECT entry FROM journal WHERE key = ?");
    query.bind(1, key);
    if (!query.executeStep()) return std::nullopt;
    return query.getColumn(0).getString();
  });
}

}  // namespace still::store
