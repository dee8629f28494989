#include "store/database.h"

namespace still::store {
namespace {

// Older ones say little about what will be.
constexpr int kKept = 200;

}  // namespace

void Store::add_measurement(const Measurement& measurement) {
  implementation_->write([&](SQLite::Database& database) {
    SQLite::Statement insert(database, "INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, int64_t{measurement.at.count()});
    insert.bind(2, measurement.container_id);
    insert.bind(3, static_cast<int64_t>(measurement.memory_bytes));
    insert.bind(4, static_cast<int64_t>(measurement.entries));
    insert.bind(5, int64_t{measurement.dump.count()});
    insert.bind(6, int64_t{measurement.capture.count()});
    insert.bind(7, int64_t{measurement.pause.count()});
    insert.bind(8, measurement.memory_way);
    insert.exec();
    SQLite::Statement forget(database,
                             "DELETE FROM measurements WHERE rowid NOT IN "
                             "(SELECT rowid FROM measurements ORDER BY rowid DESC LIMIT ?)");
    forget.bind(1, kKept);
    forget.exec();
  });
}

std::vector<Measurement> Store::measurements() {
  return implementation_->read([&](SQLite::Database& database) {
    SQLite::Statement query(database,
                            "SELECT at, container_id, memory_bytes, entries, dump, capture, pause, "
                            "forked FROM measurements ORDER BY rowid DESC");
    std::vector<Measurement> measurements;
    while (query.executeStep()) {
      const auto duration = [&](int column) {
        return std::chrono::nanoseconds(query.getColumn(column).getInt64());
      };
      measurements.push_back({.container_id = query.getColumn(1).getString(),
                              .at = duration(0),
                              .memory_bytes = static_cast<uint64_t>(query.getColumn(2).getInt64()),
                              .entries = static_cast<uint64_t>(query.getColumn(3).getInt64()),
                              .memory_way = query.getColumn(7).getInt(),
                              .dump = duration(4),
                              .capture = duration(5),
                              .pause = duration(6)});
    }
    return measurements;
  });
}

}  // namespace still::store
