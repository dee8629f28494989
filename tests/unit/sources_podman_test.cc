// What is read of Podman's answers and its database.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "sources/foreign/inspected.h"
#include "sources/podman/database.h"
#include "sources/podman/source.h"
#include "support.h"

namespace still::sources {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json inspected() {
  return json::parse(R"({
    "Id": "1234", "Name": "web", "ImageName": "localhost/web:1", "OCIRuntime": "crun",
    "State": {"Status": "running", "Pid": 42, "StartedAt": "2026-11-30T01:55:10Z"},
    "OCIConfigPath": "/storage/overlay-containers/1234/userdata/config.json",
    "StaticDir": "/storage/overlay-containers/1234/userdata",
    "GraphDriver": {"Name": "overlay",
                    "Data": {"LowerDir": "/l/a:/l/b", "UpperDir": "/u", "WorkDir": "/w"}},
    "HostConfig": {"LogConfig": {"Path": "/storage/log"}},
    "Mounts": [
      {"Type": "volume", "Name": "data", "Source": "/storage/volumes/data/_data",
       "Destination": "/data", "Driver": "local", "RW": true},
      {"Type": "bind", "Source": "/srv", "Destination": "/srv", "Driver": "", "RW": true}]})");
}

TEST(Podman, SaysWhatACheckpointNeeds) {
  const Statement statement = read_podman_container(inspected());
  EXPECT_EQ(statement.id, "1234");
  EXPECT_EQ(statement.name, "web");
  EXPECT_EQ(statement.pid, 42);
  EXPECT_TRUE(is_running(statement));
  EXPECT_EQ(statement.bundle, "/storage/overlay-containers/1234/userdata");
  EXPECT_EQ(statement.log, "/storage/log");
  ASSERT_TRUE(statement.layers);
  EXPECT_EQ(statement.layers->upper, "/u");
  EXPECT_THAT(statement.layers->lower, ElementsAre("/l/a", "/l/b"));
  ASSERT_EQ(statement.volumes.size(), 1U);
  EXPECT_EQ(statement.volumes[0].name, "data");
  EXPECT_EQ(statement.volumes[0].place, "/data");
}

TEST(Podman, AVolumeOfAnotherDriverIsRefused) {
  json container = inspected();
  container["Mounts"][0]["Driver"] = "image";
  EXPECT_THROW(read_podman_container(container), Error);
}

TEST(Podman, ThoseThatOnlyReadAVolumeNeedNotStandStill) {
  json reader = inspected();
  reader["Id"] = "5678";
  reader["Mounts"][0]["RW"] = false;
  EXPECT_THAT(writers_to(json::array({inspected(), reader}), {{.name = "data"}}),
              ElementsAre("1234"));
  EXPECT_TRUE(writers_to(json::array({inspected()}), {{.name = "other"}}).empty());
}

class PodmanDatabase : public testing::Test {
 protected:
  void SetUp() override {
    SQLite::Database database(scratch_ / "db.sql", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec("CREATE TABLE ContainerConfig (ID TEXT, JSON TEXT)");
    database.exec("CREATE TABLE ContainerState (ID TEXT, JSON TEXT)");
    database.exec(R"(INSERT INTO ContainerConfig VALUES ('1234', '{"name": "web"}'))");
    database.exec(R"(INSERT INTO ContainerState VALUES ('1234', '{"networkStatus": {"a": 1}}'))");
    database.exec("INSERT INTO ContainerConfig VALUES ('5678', '{}')");
    database.exec("INSERT INTO ContainerState VALUES ('5678', '{}')");
  }
  const test::Scratch scratch_;
};

TEST_F(PodmanDatabase, HasWhatPodmansArchivesHave) {
  const PodmanRecord record = read_podman_record(scratch_.path(), "1234");
  EXPECT_EQ(record.config, R"({"name": "web"})");
  EXPECT_EQ(record.network_status, R"({"a":1})");
  EXPECT_EQ(read_podman_record(scratch_.path(), "5678").network_status, "null");
}

TEST_F(PodmanDatabase, ThatIsNotThereOrAnotherOneIsSaid) {
  EXPECT_THROW(read_podman_record(scratch_.path(), "9"), Error);
  EXPECT_THROW(read_podman_record(scratch_ / "nowhere", "1234"), Error);
  test::write_text(scratch_ / "db.sql", "no database, but long enough to be taken for none");
  try {
    read_podman_record(scratch_.path(), "1234");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("cannot be read"));
  }
}

}  // namespace
}  // namespace still::sources
