// The values of flags of create and run, as Podman writes them. Every function throws Error(kUsage)
// with the value and what it should look like.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/container/container_config.h"

namespace still::cli {

// --volume: "NAME:/path[:options]", "/host:/path[:options]" or "/path" (an anonymous volume).
// Options: ro, rw; z and Z are ignored as Podman does without SELinux; bind and rbind.
std::variant<engine::VolumeMount, engine::BindMount> parse_volume(const std::string& value);

// --tmpfs: "/path[:size=64m,mode=1777]"
engine::TmpfsMount parse_tmpfs(const std::string& value);

// --ulimit: "nofile=1024[:2048]", -1 for no limit; the name becomes "RLIMIT_NOFILE".
std::pair<std::string, std::pair<uint64_t, uint64_t>> parse_ulimit(const std::string& value);

// --label: "key[=value]"
std::pair<std::string, std::string> parse_label(const std::string& value);

// --env: "NAME=value", or "NAME" for our own variable of that name; nullopt if we have none.
std::optional<std::string> parse_environment(const std::string& value);

// --env-file: a line each as for --env; blank lines and lines that begin with # are left out.
std::vector<std::string> read_environment_file(const std::string& path);

// --entrypoint: one program, or its words as a JSON list.
std::vector<std::string> parse_entrypoint(const std::string& value);

// --network: "none" or "host".
std::string parse_network(const std::string& value);

// --log-driver: "k8s-file", "json-file" (the same) or "none".
std::string parse_log_driver(const std::string& value);

// --cgroups: whether the container gets a cgroup of its own.
bool parse_cgroups(const std::string& value);

// --security-opt: those that the engine knows; nullopt for those that mean nothing here.
std::optional<std::string> parse_security_option(const std::string& value);

// --pids-limit: nullopt for none (0 and -1).
std::optional<int64_t> parse_pids_limit(const std::string& value);

// --cpus: "1.5"; nullopt for none (0).
std::optional<double> parse_cpus(const std::string& value);

// A number of seconds, not negative.
int parse_seconds(const std::string& value, const std::string& flag);

}  // namespace still::cli
