// What is read of containers that other engines made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "os/files.h"
#include "sources/foreign/facts.h"
#include "sources/foreign/room.h"
#include "support.h"

namespace still::sources {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<MountEntry> with_root(const std::string& type, const std::string& options) {
  return parse_mountinfo("90 1 0:60 / / rw,relatime - ext4 /dev/vda rw\n164 90 0:60 / / rw - " +
                         type + " overlay " + options +
                         "\n167 164 0:65 / /proc rw - proc proc rw\n");
}

std::string why_not(const std::vector<MountEntry>& mounts) try {
  layers_of(mounts);
  return {};
} catch (const Error& error) {
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  return error.message();
}

TEST(OverlayOfAContainer, IsReadFromTheMountThatCoversOthers) {
  const auto layers =
      layers_of(with_root("overlay", "rw,lowerdir=/l/a:/l/b,upperdir=/u,workdir=/w,uuid=on"));
  EXPECT_EQ(layers.upper, "/u");
  EXPECT_THAT(layers.lower, ElementsAre("/l/a", "/l/b"));
  EXPECT_THAT(layers_of(with_root("overlay", "rw,lowerdir+=/a,lowerdir+=/b,upperdir=/u")).lower,
              ElementsAre("/a", "/b"));
}

TEST(OverlayOfAContainer, OfAnotherKindIsRefused) {
  EXPECT_THAT(why_not(with_root("ext4", "rw")), HasSubstr("no overlay but ext4"));
  EXPECT_THAT(why_not(with_root("overlay", "rw,lowerdir=/a")), HasSubstr("without an upper layer"));
  EXPECT_THAT(why_not(with_root("overlay", "rw,lowerdir=/a,upperdir=/u,metacopy=on")),
              HasSubstr("metacopy=on"));
  EXPECT_THAT(why_not(with_root("overlay", "rw,lowerdir=/a,upperdir=/u,redirect_dir=on")),
              HasSubstr("redirect_dir=on"));
  EXPECT_THAT(why_not(with_root("overlay", "rw,lowerdir=l/AB:l/CD,upperdir=/u")),
              HasSubstr("\"l/AB\""));
  EXPECT_THAT(why_not(with_root("overlay", "rw,lowerdir=/a::/data,upperdir=/u")),
              HasSubstr("\"\""));
  EXPECT_THAT(why_not({}), HasSubstr("not to be found"));
}

TEST(OwnCgroup, EndsWithTheNameThatHasTheId) {
  EXPECT_EQ(own_cgroup("/libpod_parent/libpod-1234", "1234"), "/libpod_parent/libpod-1234");
  EXPECT_EQ(own_cgroup("/machine.slice/libpod-1234.scope/container", "1234"),
            "/machine.slice/libpod-1234.scope");
  EXPECT_EQ(own_cgroup("/docker/1234/init.scope", "1234"), "/docker/1234");
  EXPECT_EQ(own_cgroup("/somewhere/else", "1234"), "/somewhere/else");
}

TEST(Network, OfALoopbackDeviceAloneIsKnown) {
  const std::string headers = "Inter-|   Receive\n face |bytes    packets errs\n";
  EXPECT_TRUE(has_loopback_alone(headers + "    lo:       0       0    0\n"));
  EXPECT_FALSE(has_loopback_alone(headers + "    lo:  0 0\n  eth0:  0 0\n"));
}

TEST(Spec, TellsNamespacesAndMounts) {
  const SpecFacts spec = read_spec(R"({
    "process": {"terminal": true},
    "annotations": {"io.kubernetes.cri-o.Name": "web"},
    "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}]},
    "mounts": [{"destination": "/data", "type": "none", "source": "/v", "options": ["rbind"]},
               {"destination": "/tmp", "type": "tmpfs"}]})");
  EXPECT_TRUE(spec.has_terminal);
  EXPECT_FALSE(spec.has_host_network);
  EXPECT_TRUE(spec.has_joined_network);
  EXPECT_FALSE(spec.may_change_network);
  EXPECT_TRUE(spec.has_pid_namespace);
  EXPECT_FALSE(spec.has_user_namespace);
  EXPECT_EQ(spec.name, "web");
  EXPECT_TRUE(is_bind(spec.mounts.at(0)));
  EXPECT_FALSE(is_bind(spec.mounts.at(1)));
}

TEST(Spec, AJoinedNamespaceIsNotItsOwn) {
  const SpecFacts spec = read_spec(
      R"({"linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "user"}]}})");
  EXPECT_FALSE(spec.has_pid_namespace);
  EXPECT_TRUE(spec.has_user_namespace);
  EXPECT_TRUE(spec.has_host_network);
  EXPECT_TRUE(read_spec(R"({"process": {"capabilities": {"bounding": ["CAP_NET_ADMIN"]}}})")
                  .may_change_network);
  EXPECT_THROW(read_spec("{\"mounts\": [{}]}"), Error);
  EXPECT_THROW(read_spec("nothing"), Error);
}

TEST(RoomOfAContainer, HasRuncsStateWithOurConfiguration) {
  const test::Scratch scratch;
  const auto state = scratch / "runc/web";
  make_directories(state);
  test::write_text(state / "state.json",
                   R"({"config": {"labels": ["a=b", "org.criu.config=/theirs"]}, "id": "web"})");
  std::filesystem::path copy;
  {
    const Room room(scratch / "room", "runc", state, "web");
    copy = room.state_root() / "web/state.json";
    const auto labels = nlohmann::json::parse(read_file(copy)).at("config").at("labels");
    EXPECT_EQ(labels, nlohmann::json({"org.criu.config=" + room.criu_overrides().native(), "a=b"}));
  }
  EXPECT_FALSE(path_exists(copy));
  EXPECT_THAT(read_file(state / "state.json"), HasSubstr("/theirs"));
}

TEST(RoomOfAContainer, OfCrunHasWhatItHas) {
  const test::Scratch scratch;
  make_directories(scratch / "crun/web");
  make_directories(scratch / "room/left");  // by a process that was killed
  test::write_text(scratch / "crun/web/status", "{}");
  const Room room(scratch / "room", "crun", scratch / "crun/web", "web");
  EXPECT_EQ(read_file(room.state_root() / "web/status"), "{}");
  EXPECT_TRUE(room.criu_overrides().empty());
  EXPECT_FALSE(path_exists(scratch / "room/left"));
}

TEST(RoomOfAContainer, WithoutAStateThereIsNone) {
  const test::Scratch scratch;
  try {
    const Room room(scratch / "room", "crun", scratch / "crun/web", "web");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_THAT(error.message(), HasSubstr("is gone"));
  }
  EXPECT_FALSE(path_exists(scratch / "room"));
  EXPECT_THROW(with_criu_configuration("{}", "/a"), Error);
}

}  // namespace
}  // namespace still::sources
