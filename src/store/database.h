// The open database behind a Store: connection, schema, transactions, and the translation of
// SQLite's errors into ours. Private to store/.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/store.h"

namespace still::store {

class Store::Implementation {
 public:
  explicit Implementation(const std::filesystem::path& root);

  // Runs work in a transaction that holds the write lock from its start, so that what it reads
  // stays true until it has written.
  void write(const std::function<void(SQLite::Database&)>& work);

  // Runs work that only reads, on one state of the database.
  template <typename Work>
  auto read(Work&& work) {
    try {
      SQLite::Transaction transaction(database_);
      return work(database_);
    } catch (const SQLite::Exception& problem) {
      fail(problem);
    }
  }

 private:
  [[noreturn]] void fail(const SQLite::Exception& problem) const;
  void prepare();

  const std::filesystem::path file_;
  SQLite::Database database_;
};

// id is one of ids, or the prefix of just one of them. kind ("container") is for the errors:
// Error(kUsage) if several fit, Error(kNotFound) if none does.
std::string match_id(const std::vector<std::string>& ids, const std::string& reference,
                     std::string_view kind);

}  // namespace still::store
