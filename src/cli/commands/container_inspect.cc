// The object that `still inspect CONTAINER` prints.
#include <csignal>
#include <filesystem>
#include <string>

#include "base/format.h"
#include "base/text.h"
#include "cli/commands/inspect.h"
#include "engine/container/bundle.h"
#include "engine/container/security.h"
#include "os/clock.h"
#include "os/files.h"

namespace still::cli {
namespace {

using engine::ContainerConfig;
using store::ContainerStatus;

// What was removed since, by a restore or by anybody, is not named.
std::string if_there(const std::string& path) { return path_exists(path) ? path : ""; }

Json state_json(const ContainerView& container) {
  const auto& [record, config, image] = container;
  const bool paused = record.status == ContainerStatus::kPaused;
  Json state;
  state["OciVersion"] = "1.0.2";
  state["Status"] = store::to_string(record.status);
  state["Running"] = record.status == ContainerStatus::kRunning;
  state["Paused"] = paused;
  state["Restarting"] = false;
  state["OOMKilled"] = false;
  state["Dead"] = false;
  state["Pid"] = record.pid;
  state["ExitCode"] = record.exit_code;
  state["Error"] = "";
  state["StartedAt"] = rfc3339(record.started_at);
  state["FinishedAt"] = rfc3339(record.finished_at);
  state["CgroupPath"] = config.cgroups ? engine::cgroup_path(config, record.id) : "";
  state["Checkpointed"] = record.checkpointed;
  state["CheckpointedAt"] = rfc3339(record.checkpointed_at);
  state["CheckpointPath"] = if_there(record.checkpoint_path);
  state["CheckpointLog"] = if_there(record.checkpoint_log);
  state["Restored"] = record.restored;
  state["RestoredAt"] = rfc3339(record.restored_at);
  state["RestoreLog"] = if_there(record.restore_log);
  return state;
}

Json mount_json(const std::string& type, const std::string& source, const std::string& destination,
                bool read_only) {
  Json mount;
  mount["Type"] = type;
  mount["Source"] = source;
  mount["Destination"] = destination;
  mount["Driver"] = "";
  mount["Mode"] = "";
  mount["Options"] = Json::array({"rbind"});
  mount["RW"] = !read_only;
  mount["Propagation"] = "rprivate";
  return mount;
}

Json mounts_json(const store::Layout& layout, const ContainerConfig& config) {
  Json mounts = Json::array();
  for (const auto& volume : config.volumes) {
    Json mount = mount_json("volume", layout.volume_data(volume.volume), volume.destination,
                            volume.read_only);
    mount["Name"] = volume.volume;
    mount["Driver"] = "local";
    mounts.push_back(std::move(mount));
  }
  for (const auto& bind : config.binds) {
    Json mount = mount_json("bind", bind.source, bind.destination, bind.read_only);
    if (!bind.recursive) mount["Options"] = Json::array({"bind"});
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : std::string("SIG") + name;
}

Json labels_json(const ContainerConfig& config) {
  Json labels = Json::object();
  for (const auto& [key, value] : config.labels) labels[key] = value;
  return labels;
}

Json config_json(const ContainerView& container) {
  const auto& [record, config, image] = container;
  Json json;
  json["Hostname"] = engine::hostname_of(config, record.id);
  json["Domainname"] = "";
  json["User"] = config.user;
  json["AttachStdin"] = false;
  json["AttachStdout"] = false;
  json["AttachStderr"] = false;
  json["Tty"] = config.terminal;
  json["OpenStdin"] = config.open_stdin;
  json["StdinOnce"] = false;
  json["Env"] = config.environment;
  json["Cmd"] = config.arguments;
  json["Image"] = image;
  json["WorkingDir"] = config.directory;
  json["Entrypoint"] = nullptr;
  json["Labels"] = labels_json(config);
  json["StopSignal"] = signal_name(config.stop_signal);
  json["StopTimeout"] = config.stop_timeout_seconds;
  return json;
}

Json bind_strings(const engine::ContainerConfig& config) {
  Json binds = Json::array();
  const auto add = [&binds](const std::string& source, const std::string& destination,
                            bool read_only) {
    binds.push_back(
        formatted("{}:{}:{},rprivate,rbind", source, destination, read_only ? "ro" : "rw"));
  };
  for (const auto& volume : config.volumes) {
    add(volume.volume, volume.destination, volume.read_only);
  }
  for (const auto& bind : config.binds) add(bind.source, bind.destination, bind.read_only);
  return binds;
}

Json tmpfs_json(const ContainerConfig& config) {
  Json tmpfs = Json::object();
  for (const auto& mount : config.tmpfs) tmpfs[mount.destination] = join(mount.options, ",");
  return tmpfs;
}

Json ulimits_json(const ContainerConfig& config) {
  Json list = Json::array();
  for (const auto& [name, limit] : config.rlimits) {
    Json entry;
    entry["Name"] = name;
    entry["Soft"] = static_cast<int64_t>(limit.first);
    entry["Hard"] = static_cast<int64_t>(limit.second);
    list.push_back(std::move(entry));
  }
  return list;
}

Json log_json(const store::Layout& layout, const ContainerView& container) {
  const engine::ContainerPaths paths(layout.container(container.record.id));
  Json log;
  log["Type"] = container.config.log_driver;
  log["Config"] = nullptr;
  log["Path"] = container.config.log_driver == "none" ? "" : paths.log().string();
  log["Tag"] = "";
  log["Size"] = "0B";
  return log;
}

Json host_config_json(const store::Layout& layout, const ContainerView& container) {
  const ContainerConfig& config = container.config;
  Json host;
  host["Binds"] = bind_strings(config);
  host["CgroupManager"] = "cgroupfs";
  host["LogConfig"] = log_json(layout, container);
  host["NetworkMode"] = config.network;
  host["AutoRemove"] = config.remove_when_done;
  host["CapAdd"] = config.add_capabilities;
  host["CapDrop"] = config.drop_capabilities;
  host["Cgroups"] = config.cgroups ? "default" : "disabled";
  host["CgroupParent"] = config.cgroup_parent;
  host["Init"] = config.init;
  host["IpcMode"] = "private";
  host["PidMode"] = "private";
  host["Privileged"] = false;
  host["ReadonlyRootfs"] = config.read_only;
  host["SecurityOpt"] = config.security_options;
  host["Tmpfs"] = tmpfs_json(config);
  host["ShmSize"] = config.shm_size_bytes;
  host["Runtime"] = "oci";
  host["Memory"] = config.memory_limit_bytes.value_or(0);
  host["NanoCpus"] = static_cast<int64_t>(config.cpus.value_or(0) * 1e9);
  host["PidsLimit"] = config.pids_limit.value_or(0);
  host["Ulimits"] = ulimits_json(config);
  return host;
}

}  // namespace

Json inspect_container(const store::Layout& layout, const ContainerView& container) {
  const auto& [record, config, image] = container;
  const engine::ContainerPaths paths(layout.container(record.id));
  const auto& arguments = config.arguments;
  Json json;
  json["Id"] = record.id;
  json["Created"] = rfc3339(record.created_at);
  json["Path"] = arguments.empty() ? "" : arguments.front();
  json["Args"] = std::vector(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  json["State"] = state_json(container);
  json["Image"] = record.image_id;
  json["ImageName"] = image;
  json["Rootfs"] = config.rootfs;
  json["Pod"] = "";
  json["StaticDir"] = paths.base.string();
  json["OCIConfigPath"] = (paths.bundle() / "config.json").string();
  json["OCIRuntime"] = config.runtime;
  json["LogPath"] = config.log_driver == "none" ? "" : paths.log().string();
  json["Name"] = record.name;
  json["RestartCount"] = 0;
  json["Driver"] = "overlay";
  json["EffectiveCaps"] = engine::effective_capabilities(config);
  json["BoundingCaps"] = engine::effective_capabilities(config);
  json["ExecIDs"] = Json::array();
  json["GraphDriver"] = {{"Name", "overlay"},
                         {"Data",
                          {{"MergedDir", paths.merged().string()},
                           {"UpperDir", paths.upper().string()},
                           {"WorkDir", paths.work().string()}}}};
  json["Mounts"] = mounts_json(layout, config);
  json["Namespace"] = "";
  json["Config"] = config_json(container);
  json["HostConfig"] = host_config_json(layout, container);
  return json;
}

}  // namespace still::cli
