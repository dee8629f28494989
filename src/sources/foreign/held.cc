#include "sources/foreign/held.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "base/undo.h"
#include "cgroup/location.h"
#include "os/files.h"
#include "os/process_status.h"
#include "sources/foreign/archived.h"

namespace still::sources {
namespace {

// Mounts of engines and runtimes: what the writable layer holds there is only what they are mounted
// on.
constexpr std::array kEnginePlaces = {"/dev",        "/proc",
                                      "/sys",        "/etc/hostname",
                                      "/etc/hosts",  "/etc/resolv.conf",
                                      "/dev/shm",    "/run/.containerenv",
                                      "/run/secrets"};

Statement require(std::optional<Statement> statement) {
  if (statement) return std::move(*statement);
  throw Error(ErrorKind::kNotFound, "the container has been removed");
}

Error unfit(const Statement& statement, const std::string& what, const std::string& hint) {
  return {ErrorKind::kUnsupported, formatted("container {} {}", statement.name, what), hint};
}

void require_own_namespaces(const Statement& statement, const SpecFacts& spec) {
  if (spec.has_user_namespace) {
    throw unfit(statement, "has a user namespace (rootless, or --userns)",
                "Still takes checkpoints of containers without one");
  }
  if (!spec.has_pid_namespace) {
    throw unfit(statement, "has no process namespace of its own, so CRIU cannot restore it",
                "start it without --pid");
  }
}

// That its runtime has made and nobody has given anything: what the archive brings along for it is
// the same.
bool has_plain_network(const Statement& statement, const SpecFacts& spec) {
  if (spec.has_host_network || spec.has_joined_network || spec.may_change_network) return false;
  return has_loopback_alone(read_file(formatted("/proc/{}/net/dev", statement.pid)));
}

// By which it is frozen: where its processes are, in that hierarchy.
std::string cgroup_of(const Statement& statement) {
  const auto location = cgroup::find_freezer_cgroup(statement.pid);
  const auto own = cgroup::find_freezer_cgroup(::getpid());
  if (!location || (own && own->path == location->path)) {
    throw unfit(statement, "has no cgroup of its own",
                "start it with one; Still does not move processes of other engines");
  }
  return own_cgroup(location->path, statement.id);
}

const oci::SpecMount* mount_at(const SpecFacts& spec, const std::string& place) {
  const auto found = std::ranges::find(spec.mounts, place, &oci::SpecMount::destination);
  return found == spec.mounts.end() ? nullptr : &*found;
}

// /dev/shm of its own that comes from outside: what the runtime mounts itself CRIU takes with it.
std::optional<std::filesystem::path> own_shm(const SpecFacts& spec) {
  const oci::SpecMount* mount = mount_at(spec, "/dev/shm");
  if (mount == nullptr || !is_bind(*mount) || mount->source == "/dev/shm") return std::nullopt;
  return mount->source;
}

std::vector<subject::Tree> trees_of(const Statement& statement, const SpecFacts& spec,
                                    const Layers& layers) {
  std::vector<subject::Tree> trees = {
      {.kind = subject::TreeKind::kRootfs, .source = layers.upper, .scratch = {"", "tmp"}}};
  std::map<std::string, subject::Tree> volumes;  // each once
  for (const NamedVolume& volume : statement.volumes) {
    subject::Tree& tree = volumes[volume.name];
    tree.kind = subject::TreeKind::kVolume;
    tree.volume = volume.name;
    tree.source = volume.source;
    if (volume.place == "/tmp") tree.scratch = {""};
  }
  for (auto& [name, tree] : volumes) trees.push_back(std::move(tree));
  if (auto shm = own_shm(spec)) {
    trees.push_back({.kind = subject::TreeKind::kShm, .source = std::move(*shm)});
  }
  return trees;
}

// Those that a user asked for.
std::vector<subject::BindMount> binds_of(const Statement& statement, const SpecFacts& spec) {
  std::vector<subject::BindMount> binds;
  for (const oci::SpecMount& mount : spec.mounts) {
    const bool is_volume =
        std::ranges::contains(statement.volumes, mount.destination, &NamedVolume::place);
    if (is_volume || !is_bind(mount)) continue;
    if (std::ranges::contains(kEnginePlaces, mount.destination)) continue;
    binds.push_back({.source = mount.source, .place = mount.destination});
  }
  return binds;
}

std::vector<std::string> engine_paths(const std::vector<MountEntry>& mounts) {
  std::vector<std::string> paths;
  for (const std::string place : kEnginePlaces) {
    const std::filesystem::path target = place;
    if (std::ranges::contains(mounts, target, &MountEntry::target)) {
      paths.push_back(place.substr(1));
    }
  }
  return paths;
}

// An overlay that is mounted for it alone, whose changes would be lost.
void refuse_other_overlays(const Statement& statement, const SpecFacts& spec) {
  for (const oci::SpecMount& mount : spec.mounts) {
    if (mount.type != "overlay") continue;
    throw unfit(statement,
                formatted("has an overlay at {}, which would not be captured",
                          printable(mount.destination)),
                "use a named volume instead");
  }
}

std::string short_name(const std::string& runtime, const std::filesystem::path& root) {
  return oci::OciRuntime::open(runtime, root, false)->name();
}

// The archive's members, and the cgroup that they and the images name.
void take_archived_forms(subject::Subject& subject, const Statement& statement) {
  if (!statement.config_dump.empty()) return;
  subject.cgroup_in_archives = archived_cgroup(statement, subject.cgroup);
  auto forms =
      archived_forms(statement, short_name(statement.runtime, statement.runtime_root),
                     subject.has_loopback_alone, subject.cgroup_in_archives, subject.spec_dump);
  subject.config_dump = std::move(forms.config_dump);
  subject.spec_dump = std::move(forms.spec_dump);
}

subject::Subject describe(const Statement& statement, const std::optional<Room>& room,
                          const store::Layout& layout) {
  subject::Subject subject{.engine = statement.engine,
                           .id = statement.id,
                           .name = statement.name,
                           .image = statement.image,
                           .runtime = statement.runtime,
                           .log = statement.log,
                           .dump_work = layout.failure(statement.id),
                           .config_dump = statement.config_dump,
                           .network_status = statement.network_status,
                           .own_checkpoint = statement.own_checkpoint};
  if (!room) return subject;
  subject.room = room->directory();
  subject.criu_configuration = room->criu_configuration();
  subject.criu_overrides = room->criu_overrides();
  subject.spec_dump = read_file(statement.bundle / "config.json");
  const SpecFacts spec = read_spec(subject.spec_dump);
  const auto mounts = parse_mountinfo(read_file(formatted("/proc/{}/mountinfo", statement.pid)));
  require_own_namespaces(statement, spec);
  require_plain_overlay(mounts);
  refuse_other_overlays(statement, spec);
  const Layers layers = statement.layers ? *statement.layers : layers_of(mounts);
  subject.init = identify_process(statement.pid);
  subject.cgroup = cgroup_of(statement);
  subject.has_host_network = spec.has_host_network;
  if (has_plain_network(statement, spec)) {
    subject.has_loopback_alone = true;
    subject.leaves_network_out = true;
  }
  subject.has_terminal = spec.has_terminal;
  take_archived_forms(subject, statement);
  subject.trees = trees_of(statement, spec, layers);
  subject.binds = binds_of(statement, spec);
  subject.lower_layers = layers.lower;
  subject.engine_paths = engine_paths(mounts);
  return subject;
}

std::string what_became(const Statement& before, const std::optional<Statement>& now) {
  if (!now) return "has removed";
  if (now->status == "paused" && before.status == "running") return "has paused";
  if (now->status == "running" && before.status == "paused") return "has unpaused";
  if (!is_running(*now)) return "has ended (" + printable(now->status) + ")";
  return "has started anew";
}

}  // namespace

bool is_running(const Statement& statement) {
  return statement.pid > 0 && (statement.status == "running" || statement.status == "paused");
}

ForeignHeld::ForeignHeld(const store::Layout& layout, store::ContainerLock lock, Ask ask)
    : lock_(std::move(lock)), ask_(std::move(ask)), said_(require(ask_())) {
  if (sources::is_running(said_)) {
    room_.emplace(layout.run(said_.id), short_name(said_.runtime, said_.runtime_root),
                  said_.runtime_root / said_.id, said_.id);
  }
  subject_ = describe(said_, room_, layout);
}

ForeignHeld::~ForeignHeld() {
  if (!is_confirmed_ && is_running()) {
    undo([this] { pause_again(); });
  }
  undo([this] { lock_.remove(); });
}

std::unique_ptr<oci::OciRuntime> ForeignHeld::runtime() const {
  return oci::OciRuntime::open(said_.runtime, room_ ? room_->state_root() : said_.runtime_root,
                               false);
}

// A pause that came while Still had the container frozen ended with Still's thaw.
void ForeignHeld::pause_again() const {
  const auto now = ask_();
  if (!now || now->status != "paused" || said_.status == "paused") return;
  if (const auto freezer = subject::freezer_of(subject_)) freezer->request(true);
}

void ForeignHeld::confirm() {
  const auto now = ask_();
  const bool is_same = now && now->status == said_.status && now->since == said_.since &&
                       now->pid == said_.pid && is_alive(subject_.init);
  if (is_same) {
    is_confirmed_ = true;
    return;
  }
  throw Error(ErrorKind::kConflict,
              formatted("{} {} container {} during its checkpoint, which is discarded",
                        said_.engine, what_became(said_, now), said_.name),
              "leave it alone while its checkpoint is taken");
}

subject::Group hold_group(const store::Layout& layout, const std::string& id,
                          const std::vector<std::string>& sharers,
                          const std::function<ForeignHeld::Ask(const std::string& id)>& with_id) {
  std::map<std::string, store::ContainerLock> locks;
  std::vector<std::string> ids = sharers;
  ids.push_back(id);
  std::ranges::sort(ids);
  for (const std::string& one : ids) {
    if (!locks.contains(one)) locks.emplace(one, store::ContainerLock::acquire(layout, one));
  }
  const auto hold = [&](const std::string& one) {
    return std::make_unique<ForeignHeld>(layout, std::move(locks.extract(one).mapped()),
                                         with_id(one));
  };
  subject::Group group;
  group.container = hold(id);
  for (const std::string& sharer : sharers) {
    if (!locks.contains(sharer)) continue;
    auto held = hold(sharer);
    if (held->is_running()) group.sharers.push_back(std::move(held));
  }
  return group;
}

}  // namespace still::sources
