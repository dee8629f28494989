#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/format.h"
#include "base/text.h"
#include "os/files.h"

namespace still::store {
namespace {

constexpr int kSchemaVersion = 2;
constexpr int kBusyTimeoutMilliseconds = 30'000;

// Moments in nanoseconds since the epoch. Lists and maps are JSON: nothing searches in them.
constexpr const char* kSchema = R"sql(
  CREATE TABLE images (
    id TEXT PRIMARY KEY,
    layers TEXT NOT NULL,
    config TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE image_names (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX image_names_by_image ON image_names(image_id);
  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image_id TEXT REFERENCES images(id),
    config TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start_time INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    checkpointed INTEGER NOT NULL,
    checkpointed_at INTEGER NOT NULL,
    checkpoint_path TEXT NOT NULL,
    checkpoint_log TEXT NOT NULL,
    restored INTEGER NOT NULL,
    restored_at INTEGER NOT NULL,
    restore_log TEXT NOT NULL,
    made_by TEXT NOT NULL
  ) STRICT;
  CREATE INDEX containers_by_image ON containers(image_id);
  CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    anonymous INTEGER NOT NULL,
    labels TEXT NOT NULL,
    made_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE journal (
    key TEXT PRIMARY KEY,
    entry TEXT NOT NULL
  ) STRICT;
  CREATE TABLE measurements (
    at INTEGER NOT NULL,
    container_id TEXT NOT NULL,
    memory_bytes INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    dump INTEGER NOT NULL,
    capture INTEGER NOT NULL,
    pause INTEGER NOT NULL,
    forked INTEGER NOT NULL
  ) STRICT;
)sql";

// From the version before.
constexpr const char* kUpgrade =
    "ALTER TABLE measurements ADD COLUMN forked INTEGER NOT NULL DEFAULT 0";

// Two processes that make the same database at once would find each other busy where SQLite does
// not wait (the switch to WAL); the lock on the directory puts them in a row.
Fd lock_directory(const std::filesystem::path& root) {
  Fd directory = open_file(root, O_RDONLY | O_DIRECTORY);
  while (::flock(directory.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw Error::system(errno, "cannot lock " + root.native());
  }
  return directory;
}

Error unknown_version(const std::filesystem::path& file, int version) {
  return {ErrorKind::kCorrupt,
          formatted("{} has version {} of the database; this still knows version {}", file.native(),
                    version, kSchemaVersion),
          "use the still that wrote it, or another --root"};
}

// The environment of every container is in the database. SQLite makes the files beside it with the
// database's mode; those of a Still that left them open are there already.
void close_to_others(const std::filesystem::path& file) {
  constexpr mode_t kMode = 0600;
  // Not opened if it is there: closing it would give up the locks of this process's connections.
  if (!path_exists(file)) open_file(file, O_RDWR | O_CREAT, kMode);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string name = file.native() + suffix;
    if (::chmod(name.c_str(), kMode) != 0 && errno != ENOENT) {
      throw Error::system(errno, "cannot close " + name + " to other users");
    }
  }
}

SQLite::Database open_database(const std::filesystem::path& file) try {
  close_to_others(file);
  return {file.native(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMilliseconds};
} catch (const SQLite::Exception& problem) {
  throw Error(ErrorKind::kSystem, "cannot open " + file.native() + ": " + problem.what());
}

}  // namespace

Store::Implementation::Implementation(const std::filesystem::path& root)
    : file_(root / "still.db"), database_(open_database(file_)) {
  const Fd lock = lock_directory(root);
  try {
    prepare();
  } catch (const SQLite::Exception& problem) {
    fail(problem);
  }
}

void Store::Implementation::prepare() {
  database_.exec("PRAGMA foreign_keys = ON");
  const int version = database_.execAndGet("PRAGMA user_version").getInt();
  if (version != 0 && version != kSchemaVersion - 1 && version != kSchemaVersion) {
    throw unknown_version(file_, version);
  }
  if (version == 0) database_.exec("PRAGMA journal_mode = WAL");
  if (version != kSchemaVersion) {
    SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
    database_.exec(version == 0 ? kSchema : kUpgrade);
    database_.exec(formatted("PRAGMA user_version = {}", kSchemaVersion));
    transaction.commit();
  }
  // With WAL anything less may lose the last transactions in a power failure.
  database_.exec("PRAGMA synchronous = FULL");
}

void Store::Implementation::write(const std::function<void(SQLite::Database&)>& work) try {
  SQLite::Transaction transaction(database_, SQLite::TransactionBehavior::IMMEDIATE);
  work(database_);
  transaction.commit();
} catch (const SQLite::Exception& problem) {
  fail(problem);
}

void Store::Implementation::fail(const SQLite::Exception& problem) const {
  const int code = problem.getErrorCode();
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  throw Error(damaged ? ErrorKind::kCorrupt : ErrorKind::kSystem,
              file_.native() + ": " + problem.what());
}

std::string match_id(const std::vector<std::string>& ids, const std::string& reference,
                     std::string_view kind) {
  std::vector<std::string> matches;
  if (!reference.empty()) {
    std::ranges::copy_if(ids, std::back_inserter(matches),
                         [&](const std::string& id) { return id.starts_with(reference); });
  }
  if (matches.size() == 1) return matches[0];
  if (!matches.empty()) {
    throw Error(ErrorKind::kUsage,
                formatted("\"{}\" fits {} {}s", printable(reference), matches.size(), kind),
                "write more digits of the id");
  }
  throw Error(ErrorKind::kNotFound, formatted("no such {}: {}", kind, printable(reference)));
}

Store::Store(const std::filesystem::path& root)
    : implementation_(std::make_unique<Implementation>(root)) {}

Store::~Store() = default;

}  // namespace still::store
