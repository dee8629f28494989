// The store: what it keeps, what it refuses, and several processes at once.
#include "store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/format.h"
#include "support.h"

namespace still::store {
namespace {

using namespace std::chrono_literals;

using test::kind_thrown_by;
using test::message_thrown_by;
using test::Scratch;
using testing::ElementsAre;
using testing::HasSubstr;

ContainerRecord container(const std::string& id_start, const std::string& name) {
  ContainerRecord record;
  record.id = id_start + std::string(64 - id_start.size(), '0');
  record.name = name;
  record.config_json = "{}";
  record.created_at = std::chrono::seconds(1);
  return record;
}

ImageRecord image(const std::string& id_start, const std::vector<std::string>& names) {
  return {.id = id_start + std::string(64 - id_start.size(), '0'),
          .names = names,
          .layers = {"aa", "bb"},
          .config_json = "{\"x\":1}",
          .size_bytes = 7,
          .created_at = std::chrono::seconds(2)};
}

TEST(StoredContainer, ComesBackWhole) {
  const Scratch scratch;
  ContainerRecord record = container("ab", "one");
  record.status = ContainerStatus::kPaused;
  record.pid = 4711;
  record.pid_start_time = 123456789012;
  record.boot_id = "boot";
  record.exit_code = 137;
  record.started_at = std::chrono::nanoseconds(1'700'000'000'123'456'789);
  record.finished_at = std::chrono::nanoseconds(5);
  record.checkpointed = true;
  record.checkpointed_at = std::chrono::nanoseconds(6);
  record.checkpoint_path = "/path/with 'quotes'";
  record.checkpoint_log = "/log";
  record.restored = true;
  record.restored_at = std::chrono::nanoseconds(8);
  record.restore_log = "/restore";
  Store(scratch.path()).add_container(record);

  const ContainerRecord read = Store(scratch.path()).find_container("one");
  EXPECT_EQ(read.id, record.id);
  EXPECT_EQ(read.image_id, "");
  EXPECT_EQ(read.status, ContainerStatus::kPaused);
  EXPECT_EQ(read.pid, 4711);
  EXPECT_EQ(read.pid_start_time, 123456789012u);
  EXPECT_EQ(read.boot_id, "boot");
  EXPECT_EQ(read.exit_code, 137);
  EXPECT_EQ(read.started_at, record.started_at);
  EXPECT_EQ(read.finished_at, record.finished_at);
  EXPECT_TRUE(read.checkpointed);
  EXPECT_EQ(read.checkpointed_at, record.checkpointed_at);
  EXPECT_EQ(read.checkpoint_path, record.checkpoint_path);
  EXPECT_EQ(read.checkpoint_log, "/log");
  EXPECT_TRUE(read.restored);
  EXPECT_EQ(read.restored_at, record.restored_at);
  EXPECT_EQ(read.restore_log, "/restore");
}

TEST(StoredContainer, IsFoundByNameIdAndPrefix) {
  const Scratch scratch;
  Store store(scratch.path());
  store.add_container(container("ab12", "one"));
  store.add_container(container("ab34", "two"));
  EXPECT_EQ(store.find_container("two").name, "two");
  EXPECT_EQ(store.find_container("ab1").name, "one");
  EXPECT_EQ(store.find_container(container("ab34", "").id).name, "two");
  EXPECT_EQ(kind_thrown_by([&] { store.find_container("ab"); }), ErrorKind::kUsage);
  EXPECT_EQ(kind_thrown_by([&] { store.find_container("x"); }), ErrorKind::kNotFound);
  EXPECT_EQ(kind_thrown_by([&] { store.find_container(""); }), ErrorKind::kNotFound);
  EXPECT_EQ(store.container_by_name("ab1"), std::nullopt);
}

TEST(StoredContainer, NameWinsOverIdPrefix) {
  const Scratch scratch;
  Store store(scratch.path());
  store.add_container(container("ab12", "one"));
  store.add_container(container("cd34", "ab12"));
  EXPECT_EQ(store.find_container("ab12").id.substr(0, 4), "cd34");
}

TEST(StoredContainer, ConflictNamesTheHolder) {
  const Scratch scratch;
  Store store(scratch.path());
  store.add_container(container("ab", "one"));
  EXPECT_THAT(message_thrown_by([&] { store.add_container(container("cd", "one")); }),
              HasSubstr("in use by ab0000000000"));
  EXPECT_THAT(message_thrown_by([&] { store.add_container(container("ab", "two")); }),
              HasSubstr("in use by \"one\""));
  EXPECT_EQ(kind_thrown_by([&] { store.add_container(container("ab", "two")); }),
            ErrorKind::kConflict);
}

TEST(StoredContainer, UpdatesAndGoes) {
  const Scratch scratch;
  Store store(scratch.path());
  ContainerRecord record = container("ab", "one");
  store.add_container(record);
  store.add_container(container("cd", "other"));
  record.name = "renamed";
  record.status = ContainerStatus::kRunning;
  store.update_container(record);
  EXPECT_EQ(store.find_container("renamed").status, ContainerStatus::kRunning);
  EXPECT_EQ(store.containers().size(), 2u);
  record.name = "other";
  EXPECT_EQ(kind_thrown_by([&] { store.update_container(record); }), ErrorKind::kConflict);
  record.name = "renamed";
  store.remove_container(record.id);
  EXPECT_EQ(kind_thrown_by([&] { store.update_container(record); }), ErrorKind::kNotFound);
}

TEST(StoredContainer, ListIsOldestFirst) {
  const Scratch scratch;
  Store store(scratch.path());
  ContainerRecord young = container("ab", "young");
  young.created_at = std::chrono::seconds(9);
  store.add_container(young);
  store.add_container(container("cd", "old"));
  const auto all = store.containers();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "old");
  EXPECT_EQ(all[1].name, "young");
}

TEST(StoredVolume, ComesBackAndGoes) {
  const Scratch scratch;
  Store store(scratch.path());
  store.add_volume({.name = "b",
                    .created_at = std::chrono::seconds(3),
                    .anonymous = true,
                    .labels = {{"k", "v"}}});
  store.add_volume({.name = "a", .created_at = {}, .anonymous = false, .labels = {}});
  EXPECT_EQ(kind_thrown_by([&] {
              store.add_volume({.name = "a", .created_at = {}, .anonymous = false, .labels = {}});
            }),
            ErrorKind::kConflict);
  const auto all = store.volumes();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[1].created_at, std::chrono::seconds(3));
  EXPECT_TRUE(all[1].anonymous);
  EXPECT_THAT(all[1].labels, ElementsAre(std::pair<std::string, std::string>("k", "v")));
  store.remove_volume("a");
  EXPECT_EQ(store.volume("a"), std::nullopt);
}

TEST(StoredImage, IsFoundUnderShortNames) {
  const Scratch scratch;
  Store store(scratch.path());
  store.put_image(image("ab", {"localhost/redis:latest"}));
  store.put_image(image("cd", {"docker.io/library/alpine:3"}));
  for (const char* reference : {"redis", "redis:latest", "localhost/redis", "ab", "sha256:ab"}) {
    EXPECT_EQ(store.find_image(reference).id.substr(0, 2), "ab") << reference;
  }
  EXPECT_EQ(store.find_image("alpine:3").id.substr(0, 2), "cd");
  EXPECT_EQ(kind_thrown_by([&] { store.find_image("alpine"); }), ErrorKind::kNotFound);
  const ImageRecord read = store.find_image("redis");
  EXPECT_THAT(read.layers, ElementsAre("aa", "bb"));
  EXPECT_EQ(read.config_json, "{\"x\":1}");
  EXPECT_EQ(read.size_bytes, 7u);
  EXPECT_EQ(read.created_at, std::chrono::seconds(2));
}

TEST(StoredImage, NamesMoveToTheNewestImage) {
  const Scratch scratch;
  Store store(scratch.path());
  store.put_image(image("ab", {"localhost/x:1", "localhost/y:1"}));
  store.put_image(image("cd", {"localhost/x:1"}));
  store.put_image(image("cd", {"localhost/z:1"}));
  EXPECT_THAT(store.find_image("ab").names, ElementsAre("localhost/y:1"));
  EXPECT_THAT(store.find_image("cd").names, ElementsAre("localhost/x:1", "localhost/z:1"));
  store.remove_image_name("localhost/x:1");
  EXPECT_THAT(store.find_image("cd").names, ElementsAre("localhost/z:1"));
}

TEST(StoredImage, StaysWhileAContainerUsesIt) {
  const Scratch scratch;
  Store store(scratch.path());
  store.put_image(image("ab", {"localhost/x:1"}));
  ContainerRecord user = container("cc", "user");
  user.image_id = image("ab", {}).id;
  store.add_container(user);
  EXPECT_THAT(message_thrown_by([&] { store.remove_image(user.image_id); }), HasSubstr("\"user\""));
  store.remove_container(user.id);
  store.remove_image(user.image_id);
  EXPECT_TRUE(store.images().empty());
  EXPECT_EQ(kind_thrown_by([&] { store.add_container(user); }), ErrorKind::kNotFound);
}

TEST(StoreFile, OfAnUnknownVersionIsRefused) {
  const Scratch scratch;
  {
    Store made(scratch.path());
  }
  SQLite::Database((scratch / "still.db").native(), SQLite::OPEN_READWRITE)
      .exec("PRAGMA user_version = 99");
  EXPECT_EQ(kind_thrown_by([&] { Store store(scratch.path()); }), ErrorKind::kCorrupt);
}

TEST(StoreFile, OfTheVersionBeforeIsUpgraded) {
  const Scratch scratch;
  {
    Store made(scratch.path());
    made.add_measurement({.container_id = "abc", .memory_way = 1, .dump = 5ms});
  }
  SQLite::Database((scratch / "still.db").native(), SQLite::OPEN_READWRITE)
      .exec("ALTER TABLE measurements DROP COLUMN forked; PRAGMA user_version = 1");
  Store store(scratch.path());
  store.add_measurement({.container_id = "abc", .memory_way = 1, .dump = 6ms});
  const auto measurements = store.measurements();
  ASSERT_EQ(measurements.size(), 2U);
  EXPECT_EQ(measurements[0].memory_way, 1);
  EXPECT_EQ(measurements[1].dump, 5ms);
  EXPECT_EQ(measurements[1].memory_way, 0);
}

TEST(StoreFile, OfGarbageIsRefused) {
  const Scratch scratch;
  test::write_text(scratch / "still.db", std::string(8192, 'x'));
  EXPECT_EQ(kind_thrown_by([&] { Store store(scratch.path()); }), ErrorKind::kCorrupt);
}

TEST(StoreFile, InAMissingDirectoryIsAnError) {
  EXPECT_EQ(kind_thrown_by([] { Store store("/nonexistent"); }), ErrorKind::kSystem);
}

// One of several processes that make the database together and then work in it.
int hammer(const std::filesystem::path& root, int worker, int rounds) try {
  for (int round = 0; round < rounds; ++round) {
    Store store(root);
    const std::string id = formatted("{:032x}{:032x}", worker, round);
    ContainerRecord record = container(id, formatted("c-{}-{}", worker, round));
    store.add_container(record);
    record.exit_code = round;
    store.update_container(record);
    if (store.find_container(record.name).exit_code != round) return 1;
    if (round % 2 == 1) store.remove_container(record.id);
    store.containers();
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "worker %d: %s\n", worker, error.what());
  return 2;
}

TEST(StoreFile, ServesManyProcessesAtOnce) {
  constexpr int kWorkers = 8;
  constexpr int kRounds = 20;
  const Scratch scratch;
  std::vector<pid_t> workers;
  for (int i = 0; i < kWorkers; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(hammer(scratch.path(), i, kRounds));
    workers.push_back(pid);
  }
  for (const pid_t pid : workers) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Store(scratch.path()).containers().size(), size_t{kWorkers * kRounds / 2});
}

// Exactly one of those who want the same name gets it.
TEST(StoreFile, GivesANameToOneProcessOnly) {
  constexpr int kWorkers = 8;
  const Scratch scratch;
  std::vector<pid_t> workers;
  for (int i = 0; i < kWorkers; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        Store(scratch.path()).add_container(container(formatted("{:x}", i), "wanted"));
        ::_exit(0);
      } catch (const Error& error) {
        ::_exit(error.kind() == ErrorKind::kConflict ? 1 : 2);
      }
    }
    workers.push_back(pid);
  }
  int winners = 0;
  for (const pid_t pid : workers) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    EXPECT_LE(WEXITSTATUS(status), 1);
    winners += WEXITSTATUS(status) == 0;
  }
  EXPECT_EQ(winners, 1);
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

// While a connection is open, the files of the write-ahead log are there.
void expect_closed_to_others(const std::filesystem::path& root) {
  for (const char* name : {"still.db", "still.db-wal", "still.db-shm"}) {
    EXPECT_EQ(mode_of(root / name), 0600u) << name;
  }
}

TEST(StoreFile, IsClosedToOthers) {
  const Scratch scratch;
  const mode_t before = ::umask(0);
  Store store(scratch.path());
  store.add_container(container("ab", "one"));
  ::umask(before);
  expect_closed_to_others(scratch.path());
}

TEST(StoreFile, ThatAnEarlierStillLeftOpenIsClosed) {
  const Scratch scratch;
  Store earlier(scratch.path());
  earlier.add_container(container("ab", "one"));
  for (const char* name : {"still.db", "still.db-wal", "still.db-shm"}) {
    ASSERT_EQ(::chmod((scratch / name).c_str(), 0644), 0) << name;
  }
  EXPECT_EQ(Store(scratch.path()).find_container("one").name, "one");
  expect_closed_to_others(scratch.path());
}

TEST(Measurements, ComeBackNewestFirstAndOldOnesAreForgotten) {
  const Scratch scratch;
  for (int i = 1; i <= 203; ++i) {
    Store(scratch.path())
        .add_measurement({.container_id = "c",
                          .at = std::chrono::seconds(i),
                          .memory_bytes = 1,
                          .entries = 2,
                          .dump = std::chrono::nanoseconds(3),
                          .capture = std::chrono::nanoseconds(4),
                          .pause = std::chrono::nanoseconds(5)});
  }
  const auto read = Store(scratch.path()).measurements();
  ASSERT_EQ(read.size(), 200U);
  EXPECT_EQ(read.front().at, std::chrono::seconds(203));
  EXPECT_EQ(read.back().at, std::chrono::seconds(4));
  EXPECT_EQ(read[0].container_id, "c");
  EXPECT_EQ(read[0].memory_bytes, 1U);
  EXPECT_EQ(read[0].entries, 2U);
  EXPECT_EQ(read[0].dump.count(), 3);
  EXPECT_EQ(read[0].capture.count(), 4);
  EXPECT_EQ(read[0].pause.count(), 5);
}

}  // namespace
}  // namespace still::store
