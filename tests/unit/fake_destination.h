// A destination of containers that no engine will run: directories, and a note of what was done.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/files.h"
#include "subject/destination.h"
#include "support.h"

namespace still::test {

// Its config.dump says {"id", "name", "fake": {"volumes": [NAME...], "asks": [FLAG...]}}, its
// spec.dump the same as "fake".
class FakeDumpReader : public subject::DumpReader {
 public:
  bool knows(std::string_view config_dump) const override {
    return nlohmann::json::parse(config_dump).contains("fake");
  }
  subject::ArchivedContainer read(std::string_view config_dump) const override {
    const auto dump = nlohmann::json::parse(config_dump);
    if (!dump.contains("fake")) throw Error(ErrorKind::kUnsupported, "it is no fake");
    return {.id = dump.at("id"),
            .name = dump.at("name"),
            .cgroup = "/of-the-configuration",
            .volumes = dump.at("fake").at("volumes")};
  }
  void check_spec(std::string_view config_dump, std::string_view spec_dump) const override {
    if (nlohmann::json::parse(config_dump).at("fake") != nlohmann::json::parse(spec_dump)) {
      throw Error(ErrorKind::kCorrupt, "it is of another container");
    }
  }
  std::vector<std::string> demands(std::string_view config_dump,
                                   const criu::ImagePrivileges& /*images*/,
                                   const subject::PrivilegedTrees& trees) const override {
    std::vector<std::string> flags = nlohmann::json::parse(config_dump).at("fake").at("asks");
    for (const auto& [member, entries] : trees) flags.push_back("what is in " + member);
    return flags;
  }
};

// What a fake engine has, and what was done with it.
struct FakeEngine {
  std::filesystem::path directory;
  bool start_fails = false;

  bool is_mounted = false;
  bool is_kept = false;
  std::string operation;            // that the container was made by
  std::vector<std::string> images;  // files of the images at the start, sorted
  std::optional<std::string> shm;   // content of its file there
  std::optional<std::string> dumped_cgroup;

  std::filesystem::path container() const { return directory / "container"; }
  std::filesystem::path root() const { return container() / "root"; }
  std::filesystem::path volume(const std::string& name) const { return directory / name; }

  // As it was when it was made first.
  void make_container() const {
    for (const auto& made : {container(), root(), container() / "shm", container() / "etc"})
      make_directory(made);
    write_text(root() / "base", "base");
    write_text(container() / "etc/hosts", "new");
  }
};

class FakeRestorable : public subject::Restorable {
 public:
  FakeRestorable(FakeEngine& engine, const std::string& name)
      : engine_(engine),
        place_{.id = std::string(64, 'f'),
               .name = name,
               .root = engine.root(),
               .shm = engine.container() / "shm",
               .etc = engine.container() / "etc",
               .log = engine.container() / "log",
               .bundle = engine.container() / "bundle",
               .restore_work = engine.container() / "work",
               .criu_configuration = engine.container() / "criu.conf",
               .criu_overrides = {}} {}

  const subject::Place& place() const override { return place_; }
  std::unique_ptr<oci::OciRuntime> runtime() const override {
    return oci::OciRuntime::open("crun", engine_.directory, true);
  }
  void mount() override { engine_.is_mounted = true; }
  void unmount() override { engine_.is_mounted = false; }
  void start(const oci::RestoreOptions& options, const std::string& dumped_cgroup) override {
    for (const auto& file : std::filesystem::directory_iterator(options.image_directory)) {
      engine_.images.push_back(file.path().filename());
    }
    std::ranges::sort(engine_.images);
    engine_.shm = read_file_if_exists(place_.shm / "shared");
    engine_.dumped_cgroup = dumped_cgroup;
    if (engine_.start_fails) throw Error(ErrorKind::kRuntime, "the runtime fails");
  }

 private:
  FakeEngine& engine_;
  const subject::Place place_;
};

class FakeNewContainer : public subject::NewContainer {
 public:
  FakeNewContainer(FakeEngine& engine, std::string name, subject::Wishes wishes)
      : engine_(engine), name_(std::move(name)), wishes_(std::move(wishes)) {}
  ~FakeNewContainer() override {
    engine_.is_kept = kept_;
    if (kept_) return;
    for (const auto& made : made_) remove_tree(made);
  }

  std::filesystem::path make_volume(const std::string& archived_name) override {
    const auto renamed = wishes_.rename_volumes.find(archived_name);
    const bool is_renamed = renamed != wishes_.rename_volumes.end();
    made_.push_back(engine_.volume(is_renamed ? renamed->second : archived_name));
    make_directory(made_.back());
    return made_.back();
  }
  subject::Restorable& make_container() override {
    engine_.make_container();
    made_.push_back(engine_.container());
    return container_.emplace(engine_, name_);
  }
  void keep() override { kept_ = true; }

 private:
  FakeEngine& engine_;
  const std::string name_;
  const subject::Wishes wishes_;
  std::vector<std::filesystem::path> made_;
  std::optional<FakeRestorable> container_;
  bool kept_ = false;
};

class FakeStoredCheckpoint : public subject::StoredCheckpoint {
 public:
  FakeStoredCheckpoint(FakeEngine& engine, subject::StoredContainer stored)
      : stored_(std::move(stored)), container_(engine, "web") {}

  const subject::StoredContainer& stored() const override { return stored_; }
  subject::Restorable& container() override { return container_; }
  void check_volumes_free() const override {}
  void remove_checkpoint() override {
    for (const auto& part : {stored_.images, stored_.archive}) {
      if (part) remove_tree(*part);
    }
  }

 private:
  const subject::StoredContainer stored_;
  FakeRestorable container_;
};

class FakeDestination : public subject::Destination {
 public:
  explicit FakeDestination(FakeEngine& engine) : engine_(engine) {}

  subject::StoredContainer stored;  // that is opened

  const subject::DumpReader& dumps() const override { return dumps_; }
  std::unique_ptr<subject::NewContainer> decide(std::string_view config_dump,
                                                const criu::ImagePrivileges& images,
                                                const subject::PrivilegedTrees& trees,
                                                const subject::Wishes& wishes,
                                                const std::string& operation) override {
    const auto archived = dumps_.read(config_dump);
    for (const std::string& flag : dumps_.demands(config_dump, images, trees)) {
      throw Error(ErrorKind::kUsage, "the archive asks for " + flag);
    }
    engine_.operation = operation;
    return std::make_unique<FakeNewContainer>(
        engine_, wishes.name.empty() ? archived.name : wishes.name, wishes);
  }
  std::unique_ptr<subject::StoredCheckpoint> open(const std::string& /*reference*/) override {
    return std::make_unique<FakeStoredCheckpoint>(engine_, stored);
  }

 private:
  FakeEngine& engine_;
  const FakeDumpReader dumps_;
};

}  // namespace still::test
