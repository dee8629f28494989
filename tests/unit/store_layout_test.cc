// Where a store is on disk, who may enter it, and its locks.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "os/files.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/records.h"
#include "support.h"

namespace still::store {
namespace {

using test::Scratch;

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

TEST(Layout, HasItsDefaults) {
  const Layout layout = Layout::resolve({}, {});
  EXPECT_EQ(layout.root, "/var/lib/still");
  EXPECT_EQ(layout.runroot, "/run/still");
}

TEST(Layout, AnotherRootHasItsOwnRunroot) {
  const Layout layout = Layout::resolve("/srv//x/../still/", {});
  EXPECT_EQ(layout.root, "/srv/still");
  EXPECT_EQ(layout.runroot, "/srv/still/run");
  EXPECT_EQ(Layout::resolve("/srv/still", "/run/other").runroot, "/run/other");
}

TEST(Layout, CommandLineWinsOverEnvironment) {
  const Environment root("STILL_ROOT", "/env/root");
  const Environment runroot("STILL_RUNROOT", "/env/run");
  EXPECT_EQ(Layout::resolve({}, {}).root, "/env/root");
  EXPECT_EQ(Layout::resolve({}, {}).runroot, "/env/run");
  EXPECT_EQ(Layout::resolve("/arg", {}).root, "/arg");
  EXPECT_EQ(Layout::resolve("/arg", "/argrun").runroot, "/argrun");
}

TEST(Layout, RelativeRootsBecomeAbsolute) {
  EXPECT_EQ(Layout::resolve("here", {}).root, std::filesystem::current_path() / "here");
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

std::vector<std::filesystem::path> directories_in(const Layout& layout) {
  return {layout.containers(),
          layout.volumes(),
          layout.layers(),
          layout.staging(),
          layout.locks(),
          layout.exits(),
          layout.runroot / "containers",
          layout.runroot / "runtime"};
}

void set_mode(const std::filesystem::path& path, mode_t mode) {
  EXPECT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

void expect_closed(const std::filesystem::path& path) { EXPECT_EQ(mode_of(path), 0700u) << path; }

TEST(Layout, IsClosedToOthers) {
  const Scratch scratch;
  const Layout layout = Layout::resolve((scratch / "deep/root").native(), {});
  layout.create();
  layout.create();
  expect_closed(layout.root);
  expect_closed(layout.runroot);
  std::ranges::for_each(directories_in(layout), expect_closed);
}

TEST(Layout, ThatAnEarlierStillLeftOpenIsClosed) {
  const Scratch scratch;
  const Layout layout =
      Layout::resolve(scratch.make("root").native(), scratch.make("run").native());
  layout.create();
  test::write_text(layout.root / "still.db", "");
  test::write_text(layout.runroot / "memory-cut", "");
  for (const auto& directory : directories_in(layout)) set_mode(directory, 0711);
  set_mode(layout.root, 0711);
  set_mode(layout.runroot, 0711);
  layout.create();
  expect_closed(layout.root);
  expect_closed(layout.runroot);
  std::ranges::for_each(directories_in(layout), expect_closed);
}

TEST(Layout, OfADirectoryWithOtherContentOnlyOurPartIsClosed) {
  const Scratch scratch;
  const Layout layout = Layout::resolve(scratch.make("srv").native(), {});
  scratch.make("srv/of the machine");
  set_mode(layout.root, 0755);
  layout.create();
  layout.create();
  EXPECT_EQ(mode_of(layout.root), 0755u);
  expect_closed(layout.runroot);
  std::ranges::for_each(directories_in(layout), expect_closed);
}

TEST(ContainerLock, KeepsOthersOutUntilReleased) {
  const Scratch scratch;
  const Layout layout = Layout::resolve(scratch.path().native(), {});
  layout.create();
  ContainerLock first = ContainerLock::acquire(layout, "id");
  first.release();
  ContainerLock second = ContainerLock::acquire(layout, "id");
  second.remove();
  EXPECT_FALSE(path_exists(layout.locks() / "id"));
  // The file that `first` knows is gone: it takes the one that is there now.
  first.reacquire();
  EXPECT_TRUE(path_exists(layout.locks() / "id"));
}

TEST(ContainerLock, OfNoContainerIsRemovedUnlessItIsHeld) {
  const Scratch scratch;
  const Layout layout = Layout::resolve(scratch.path().native(), {});
  layout.create();
  const std::string kept(kIdLength, 'a');
  const std::string orphaned(kIdLength, 'b');
  const std::string being_made(kIdLength, 'c');
  for (const std::string& id : {kept, orphaned}) ContainerLock::acquire(layout, id);
  const ContainerLock held = ContainerLock::acquire(layout, being_made);
  lock_shared_part(layout, "volumes");
  remove_orphaned_locks(layout, [&](const std::string& id) { return id == kept; });
  EXPECT_TRUE(path_exists(layout.locks() / kept));
  EXPECT_FALSE(path_exists(layout.locks() / orphaned));
  EXPECT_TRUE(path_exists(layout.locks() / being_made));
  EXPECT_TRUE(path_exists(layout.locks() / "volumes"));
}

}  // namespace
}  // namespace still::store
