// A source of containers that no engine has made: a process, some directories, and programs that
// are scripts.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "os/files.h"
#include "os/process.h"
#include "subject/source.h"
#include "support.h"

namespace still::test {

// A process that waits, the first of a process namespace of its own, as a container's init is.
class Init {
 public:
  Init() {
    const long flags = CLONE_NEWPID | (::geteuid() == 0 ? 0 : CLONE_NEWUSER) | SIGCHLD;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
    while (pid_ == 0) ::pause();
  }
  Init(const Init&) = delete;
  Init& operator=(const Init&) = delete;
  ~Init() { end(); }

  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

// The programs that are called, as scripts, and no others.
class Programs {
 public:
  explicit Programs(const std::filesystem::path& directory)
      : directory_(directory), path_before_(std::getenv("PATH")) {
    make_directory(directory_);
    add("crun", kCrun);
    add("criu", "echo 'Version: 4.1.1'");
    add("conmon", "echo 'conmon version 2.1.12'");
    ::setenv("PATH", directory_.c_str(), 1);
  }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  ~Programs() { ::setenv("PATH", path_before_.c_str(), 1); }

  void remove(const char* name) { std::filesystem::remove(directory_ / name); }

 private:
  // A checkpoint of that runtime is complete at once, and without processes.
  static constexpr const char* kCrun = R"(
    case "$*" in *checkpoint*) ;; *) echo 'crun version 1.21'; exit ;; esac
    for word in "$@"; do
      case $word in --image-path=*)
        printf '\026\061\061\130\0\0\0\0' >"${word#*=}/inventory.img"
        printf '\031\103\126\124\070\061\060\126' >"${word#*=}/files.img" ;;
      esac
    done)";

  void add(const char* name, const std::string& script) {
    write_text(directory_ / name, "#!/bin/sh\n" + script + "\n");
    ::chmod((directory_ / name).c_str(), 0755);
  }

  const std::filesystem::path directory_;
  const std::string path_before_;
};

// What a fake container is, and what was done with it.
struct FakeContainer {
  subject::Subject subject;
  std::filesystem::path directory;  // for what it would store
  std::filesystem::path recorded;   // archive of the last live checkpoint
  bool stores = true;               // its engine has a place for live checkpoints
  bool changed = false;             // by its engine, while it was held
};

class FakeHeld : public subject::Held, private subject::Endable {
 public:
  explicit FakeHeld(FakeContainer& container) : container_(container) {}

  const subject::Subject& subject() const override { return container_.subject; }
  bool is_running() const override { return is_alive(container_.subject.init); }
  std::unique_ptr<oci::OciRuntime> runtime() const override {
    return oci::OciRuntime::open(container_.subject.runtime, container_.directory, true);
  }
  subject::Endable* endable() override { return this; }
  void unlocked(const std::function<void()>& work) override { work(); }
  std::filesystem::path stored_archive() const override {
    return container_.stores ? container_.directory / "checkpoint.tar" : std::filesystem::path();
  }
  void confirm() override {
    if (container_.changed) throw Error(ErrorKind::kConflict, "the engine has changed it");
  }
  void record_checkpoint(const std::filesystem::path& archive,
                         const std::filesystem::path& /*log*/) override {
    container_.recorded = archive;
  }

 private:
  std::filesystem::path stored_images() const override { return container_.directory / "images"; }
  std::filesystem::path tree_afterwards(const subject::Tree& tree) const override {
    return tree.source;
  }
  bool has_ended_in(const std::filesystem::path& /*images*/) const override { return false; }
  void keep_checkpoint(const std::filesystem::path& images,
                       const std::filesystem::path& /*log*/) override {
    std::filesystem::rename(images, stored_images());
  }
  void remove() override {}

  FakeContainer& container_;
};

class FakeSource : public subject::Source {
 public:
  explicit FakeSource(FakeContainer& container) : container_(container) {}
  std::optional<std::string> find(const std::string& reference) override {
    if (reference != container_.subject.name) return std::nullopt;
    return container_.subject.id;
  }
  std::vector<subject::Listed> running() override { return {}; }
  subject::Group hold(const std::string& /*reference*/, bool /*with_sharers*/) override {
    subject::Group group;
    group.container = std::make_unique<FakeHeld>(container_);
    return group;
  }

 private:
  FakeContainer& container_;
};

}  // namespace still::test
