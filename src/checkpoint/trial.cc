#include "checkpoint/trial.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>

#include "base/error.h"
#include "base/hooks.h"
#include "base/text.h"
#include "base/undo.h"
#include "cgroup/container_cgroup.h"
#include "checkpoint/leftovers.h"
#include "criu/configuration.h"
#include "criu/criu.h"
#include "criu/examination.h"
#include "journal/paths.h"
#include "oci/runtime.h"
#include "oci/spec.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/temp_dir.h"
#include "subject/fit_images.h"

namespace still::checkpoint {
namespace {

// Memory is read from the disk and written: a slow disk's rate.
constexpr uint64_t kBytesPerSecond = uint64_t{32} << 20;

// Its parts.
struct Place {
  std::filesystem::path directory;

  std::filesystem::path images() const { return directory / "images"; }
  std::filesystem::path work() const { return directory / "work"; }
  std::filesystem::path bundle() const { return directory / "bundle"; }
  std::filesystem::path root() const { return directory / "root"; }
  std::filesystem::path state() const { return directory / "state"; }
  std::filesystem::path configuration() const { return directory / "criu.conf"; }
  std::filesystem::path overrides() const { return directory / "criu-overrides.conf"; }
  std::filesystem::path words() const { return directory / "words"; }
  // The name of the container, and of its cgroup.
  std::string name() const { return directory.filename(); }
  std::string cgroup() const { return "/still/" + name(); }
};

// A view of these directories, the top one first, whose changes stay in the place.
std::filesystem::path mount_view(const std::vector<std::filesystem::path>& layers,
                                 const std::filesystem::path& parent,
                                 const std::filesystem::path& target) {
  make_directories(parent, 0700);
  for (const auto& directory : {parent / "upper", parent / "work", target}) {
    make_directory(directory, 0700);
  }
  // An upper directory has the attributes of the merged one.
  const struct stat top = stat_fd(open_file(layers.front(), O_RDONLY | O_DIRECTORY));
  const Fd upper = open_file(parent / "upper", O_RDONLY | O_DIRECTORY);
  if (::fchown(upper.get(), top.st_uid, top.st_gid) != 0 ||
      ::fchmod(upper.get(), top.st_mode & 07777) != 0) {
    throw Error::system(errno, "cannot set the owner of a directory");
  }
  mount_overlay(layers, parent / "upper", parent / "work", target);
  return target;
}

void mount_root(const Trial& trial, const Place& place) {
  std::vector<std::filesystem::path> layers;
  for (const auto& [tree, path] : trial.trees) {
    if (tree.kind == subject::TreeKind::kRootfs) layers.push_back(path);
  }
  std::ranges::copy(trial.subject.lower_layers, std::back_inserter(layers));
  mount_view(layers, place.directory / "layers", place.root());
}

// The other trees, by the places that the container's spec has them at.
std::map<std::filesystem::path, std::filesystem::path> mount_trees(const Trial& trial,
                                                                   const Place& place) {
  std::map<std::filesystem::path, std::filesystem::path> views;
  for (const auto& [tree, path] : trial.trees) {
    if (tree.kind == subject::TreeKind::kRootfs) continue;
    const auto parent = place.directory / ("tree-" + std::to_string(views.size()));
    views[tree.source] = mount_view({path}, parent, parent / "merged");
  }
  return views;
}

oci::RestoreOptions write_options(const Trial& trial, const Place& place,
                                  const oci::OciRuntime& runtime) {
  oci::RestoreOptions options{.image_directory = place.images(),
                              .work_directory = place.work(),
                              .tcp_established = trial.options.tcp_established,
                              .file_locks = trial.options.file_locks,
                              .criu_configuration = place.configuration()};
  auto criu_options = runtime.criu_options(options);
  // Each process gets a SIGSTOP before it is let go.
  criu_options["leave-stopped"] = "";
  criu::write_configuration(place.configuration(), place.overrides(), criu_options);
  return options;
}

void prepare(const Trial& trial, const Place& place) {
  for (const auto& directory : {place.work(), place.bundle(), place.state()}) {
    make_directory(directory, 0700);
  }
  mount_view({trial.images}, place.directory / "images-changes", place.images());
  mount_root(trial, place);
  const oci::OtherPlaces places{.root = place.root(),
                                .cgroup_path = place.cgroup(),
                                .criu_configuration = place.overrides(),
                                .sources = mount_trees(trial, place)};
  write_file_atomically(place.bundle() / "config.json", oci::move_spec(trial.subject.spec, places),
                        0600);
  subject::fit_images(place.images(), trial.subject.cgroup, place.cgroup());
}

uint64_t size_of(const std::filesystem::path& directory) {
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) bytes += file.file_size();
  return bytes;
}

// What the restored processes inherit, and hold for as long as they live.
Command with_descriptors(Command command, const Fd& nothing, const Fd& words) {
  command.descriptors = {{nothing.get(), STDIN_FILENO}, {words.get(), STDOUT_FILENO}};
  command.descriptors[words.get()] = STDERR_FILENO;
  command.own_process_group = true;
  return command;
}

[[noreturn]] void fail(const Place& place, const std::string& words) {
  const std::string log = criu::explain_criu_log(oci::restore_log(place.work())).words;
  throw Error(ErrorKind::kUnsupported,
              "a restore on trial failed: " + (log.empty() ? oci::runtime_message(words) : log),
              "leave --verify-restore out for a checkpoint that is not tried");
}

void run(const Trial& trial, const Place& place, const Command& command) {
  const Fd nothing = open_file("/dev/null", O_RDWR);
  const Fd words = open_file(place.words(), O_RDWR | O_CREAT | O_APPEND, 0600);
  Child runtime = Child::start(with_descriptors(command, nothing, words));
  const auto reading = std::chrono::seconds(size_of(trial.images) / kBytesPerSecond);
  const auto status = runtime.wait_until(deadline_in(trial.options.runtime_timeout + reading));
  if (!status) {
    ::kill(-runtime.pid(), SIGKILL);
    throw Error(ErrorKind::kUnsupported, "a restore on trial did not end",
                "leave --verify-restore out for a checkpoint that is not tried");
  }
  if (!status->ok()) fail(place, read_file(place.words()));
}

// Ends and removes what a trial has made beside its files.
class Remains {
 public:
  Remains(const Place& place, const oci::OciRuntime& runtime) : place_(place), runtime_(runtime) {}
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;
  ~Remains() {
    undo([&] { cgroup::kill_cgroups(place_.cgroup()); });
    undo([&] { runtime_.remove(place_.name()); });
    cgroup::remove_cgroups(place_.cgroup());
    undo([&] { unmount_below(place_.directory); });
  }

 private:
  const Place& place_;
  const oci::OciRuntime& runtime_;
};

void try_restore(const Trial& trial, const std::filesystem::path& directory) {
  const TempDir own(directory);
  const Place place{directory};
  const auto runtime = oci::OciRuntime::open(trial.subject.runtime, place.state(), false);
  const Remains remains(place, *runtime);
  prepare(trial, place);
  run(trial, place,
      runtime->restore_command(place.name(), place.bundle(),
                               write_options(trial, place, *runtime)));
  hooks::reached("tried");
}

}  // namespace

std::string why_not_tried(const subject::Subject& subject) {
  if (!subject.has_cgroup) return "has no cgroup of its own";
  if (!subject.own_checkpoint.empty()) return "is " + subject.engine + "'s";
  if (subject.has_host_network) {
    return "has the host's network, where its ports are taken";
  }
  if (subject.has_terminal) return "has a terminal";
  return {};
}

std::filesystem::path trial_place(const std::filesystem::path& staging, const std::string& key) {
  return staging / ("trial-" + key);
}

void note_trial(journal::Entry& entry, const std::filesystem::path& place) {
  entry.add(journal::path_step(place));
  entry.add(trial_step(Place{place}.cgroup()));
}

void require_restorable(const Trial& trial, const std::filesystem::path& place) {
  const auto reasons = criu::find_unrestorable(trial.images);
  if (!reasons.empty()) {
    throw Error(ErrorKind::kUnsupported, "no restore could bring it back: " + join(reasons, ", "),
                "end what is named; the container runs on");
  }
  if (trial.options.verify_restore) try_restore(trial, place);
}

}  // namespace still::checkpoint
