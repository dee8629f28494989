#include <nlohmann/json.hpp>

#include "store/database.h"

namespace still {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcessIdentity, pid, start_time)
}

namespace still::store {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FrozenCgroup, container_id, init, version, directory, inode)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(JournalEntry, key, operation, container_id, container_name,
                                   boot_id, owner, guardian, runtime, init, cgroups, lent_cgroup,
                                   lent_from, images, fork_images, brings_back, in_own_files,
                                   may_have_run, set_aside, paths)

namespace {

JournalEntry parse_entry(const SQLite::Column& column) {
  return nlohmann::json::parse(column.getString()).get<JournalEntry>();
}

}  // namespace

void Store::put_journal_entry(const JournalEntry& entry) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement put(database,
                          "INSERT INTO journal VALUES (?, ?) "
                          "ON CONFLICT (key) DO UPDATE SET entry = excluded.entry");
    put.bind(1, entry.key);
    put.bind(2, nlohmann::json(entry).dump());
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

std::vector<JournalEntry> Store::journal() {
  return implementation_->read([](SQLite::Database& database) {
    SQLite::Statement query(database, "SELECT entry FROM journal ORDER BY rowid");
    std::vector<JournalEntry> entries;
    while (query.executeStep()) entries.push_back(parse_entry(query.getColumn(0)));
    return entries;
  });
}

std::optional<JournalEntry> Store::journal_entry(const std::string& key) {
  return implementation_->read([&](SQLite::Database& database) -> std::optional<JournalEntry> {
    SQLite::Statement query(database, "SELECT entry FROM journal WHERE key = ?");
    query.bind(1, key);
    if (!query.executeStep()) return std::nullopt;
    return parse_entry(query.getColumn(0));
  });
}

}  // namespace still::store
