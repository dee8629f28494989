#!/usr/bin/env bats
# cgroups: v2
# still ps, inspect, info, version: the columns, keys and templates that Podman's users know.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

names() { still ps --format '{{.Names}}' "$@" | sort | tr '\n' ' '; }

make_three() {
  still create --name new --label team=db --runtime "$(any_runtime)" --rootfs "$ROOTFS" true
  still run -d --name old -v data:/data --label team=web --label tier --runtime "$(any_runtime)" --rootfs "$ROOTFS" sh -c 'exit 3'
  still wait old
  sleeper up --runtime "$(any_runtime)"
}

# --- ps ---------------------------------------------------------------------------------------------

@test "ps: running ones only, all with -a, ids with -q" {
  make_three
  is "up " names
  is "new old up " names -a
  is "$(still inspect --format '{{.Id}}' up | cut -c1-12)" still ps -q
  is "$(still inspect --format '{{.Id}}' up)" still ps -q --no-trunc
  is "up " names --latest
  is "old up " names --last 2
}

@test "ps: Podman's table" {
  import_busybox
  still run -d --name up --runtime "$(any_runtime)" busybox sleep 1000
  is "CONTAINER ID  IMAGE                     COMMAND     CREATED                 STATUS                 PORTS       NAMES" \
    sh -c 'still ps | head -n 1 | sed "s/CREATED  *STATUS  *PORTS/CREATED                 STATUS                 PORTS/"'
  still ps | grep -E '^[0-9a-f]{12}  localhost/busybox:latest  sleep 1000  .* ago  +Up .* +up$'
  is "" still ps --noheading --filter name=nope
}

@test "ps: states are Podman's words" {
  make_three
  is "Created" still ps -a --filter name=new --format '{{.Status}}'
  still ps -a --filter name=old --format '{{.Status}}' | grep -E '^Exited \(3\) .* ago$'
  still ps --filter name=up --format '{{.Status}}' | grep -E '^Up '
  still pause up
  is "Paused" still ps -a --filter name=up --format '{{.Status}}'
  is "paused" still ps -a --filter name=up --format '{{.State}}'
  is "" names
}

@test "ps: JSON with Podman's keys" {
  make_three
  still ps -a --format json >"$WORK/json"
  is 3 jq length "$WORK/json"
  jq -e '.[] | select(.Names == ["old"]) |
    .State == "exited" and .ExitCode == 3 and .Exited == true and .Pid == 0 and
    .Command == ["sh", "-c", "exit 3"] and .Labels == {"team": "web", "tier": ""} and
    .Mounts == ["/data"] and (.Id | length) == 64 and .Created > 1700000000 and
    .ExitedAt >= .StartedAt and .Image == "" and .AutoRemove == false' "$WORK/json"
  jq -e '.[] | select(.Names == ["up"]) | .State == "running" and .Pid > 1 and .Exited == false' "$WORK/json"
  is "[]" still ps --filter name=nope --format json
}

@test "ps: filters" {
  make_three
  is "old " names -a --filter status=exited
  is "new old " names --filter status=exited --filter status=created
  is "new old " names -a --filter label=team
  is "old " names -a --filter label=team=web --filter label=tier
  is "old " names -a --filter volume=data
  is "old " names -a --filter volume=/data
  is "up " names -a --filter "id=$(still inspect --format '{{.Id}}' up)"
  is "new up " names -a --filter 'name=^(new|up)$'
  is "old " names -a --filter exited=3
  fails_with "invalid filter" still ps --filter foo=bar
  fails_with "unknown container state" still ps --filter status=frozen
}

@test "ps: templates" {
  sleeper up --runtime "$(any_runtime)" --label team=db
  id=$(still inspect --format '{{.Id}}' up)
  is "$(printf '%s\tup' "${id:0:12}")" still ps --format '{{.ID}}\t{{.Names}}'
  is "$(printf 'CONTAINER ID  NAMES\n%s  up' "${id:0:12}")" still ps --format 'table {{.ID}}\t{{.Names}}'
  is '{"team":"db"}' still ps --format '{{json .Labels}}'
  fails_with "Nome" still ps --format '{{.Nome}}'
  fails_with "without" still ps --format '{{.Names'
  fails_with "--format" still ps -q --format json
}

@test "a list is not held up by a container that somebody works with" {
  sleeper up --runtime "$(any_runtime)"
  id=$(still inspect --format '{{.Id}}' up)
  lock=$(find "$STILL_ROOT/run/locks" -name "*$id*" | head -n 1)
  [[ -n $lock ]]
  exec 9<"$lock"
  flock --exclusive 9
  is "up " timeout 60 still ps --format '{{.Names}} '
  is "running" timeout 60 still inspect --format '{{.State.Status}}' up
  exec 9<&-
}

# --- inspect ----------------------------------------------------------------------------------------

@test "inspect: what was asked for at creation" {
  import_busybox --change 'CMD ["sleep", "1000"]' --change 'ENV FROM=image' --change 'LABEL kind=test'
  still create --name web --hostname box -e MORE=1 -w /tmp -u nobody -v data:/data:ro -v "$WORK:/host" --tmpfs /scratch:size=1m \
    --shm-size 1m --label team=db --cap-add NET_ADMIN --cap-drop CHOWN --ulimit nofile=10:20 --stop-signal INT --stop-timeout 3 \
    --read-only --init=false --security-opt no-new-privileges --runtime "$(any_runtime)" busybox
  still inspect web >"$WORK/json"
  jq -e '.[0] | .Name == "web" and .ImageName == "localhost/busybox:latest" and .Path == "sleep" and .Args == ["1000"]' "$WORK/json"
  jq -e '.[0].State | .Status == "created" and .Running == false and .Pid == 0 and .Checkpointed == false and .Restored == false and
    .StartedAt == "0001-01-01T00:00:00Z" and .CheckpointedAt == "0001-01-01T00:00:00Z"' "$WORK/json"
  jq -e '.[0].Config | .Hostname == "box" and .User == "nobody" and .WorkingDir == "/tmp" and .Cmd == ["sleep", "1000"] and
    (.Env | index("MORE=1")) and (.Env | index("FROM=image")) and .Labels == {"kind": "test", "team": "db"} and
    .StopSignal == "SIGINT" and .StopTimeout == 3' "$WORK/json"
  jq -e --arg work "$WORK" '.[0].Mounts | map(select(.Type == "volume"))[0] == (map(select(.Name == "data"))[0]) and
    (map(select(.Type == "volume"))[0] | .Destination == "/data" and .RW == false) and
    (map(select(.Type == "bind"))[0] | .Source == $work and .Destination == "/host" and .RW)' "$WORK/json"
  jq -e --arg runtime "$(any_runtime)" '.[0] | .OCIRuntime == $runtime and (.LogPath | length > 0) and
    (.HostConfig | .NetworkMode == "none" and .ShmSize == 1048576 and .ReadonlyRootfs and .CapAdd == ["NET_ADMIN"] and .CapDrop == ["CHOWN"] and
      .Ulimits == [{"Name": "RLIMIT_NOFILE", "Soft": 10, "Hard": 20}] and .Tmpfs == {"/scratch": "size=1m"} and
      .SecurityOpt == ["no-new-privileges"] and .AutoRemove == false) and
    (.EffectiveCaps | index("CAP_NET_ADMIN")) and (.EffectiveCaps | index("CAP_CHOWN") | not)' "$WORK/json"
}

@test "inspect: the state follows the container" {
  sleeper web --runtime "$(any_runtime)"
  is "running true false" still inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' web
  pid=$(state web Pid)
  [[ $(readlink "/proc/$pid/ns/pid") != "$(readlink /proc/self/ns/pid)" ]]
  still kill web
  still wait web
  is "exited false 137 0" still inspect --format '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}' web
}

@test "inspect: templates" {
  sleeper web --runtime "$(any_runtime)" -v data:/data -v more:/more
  is "data more " still inspect --format '{{range .Mounts}}{{.Name}} {{end}}' web
  is '"running"' still inspect --format '{{json .State.Status}}' web
  is "up" still inspect -f '{{if .State.Running}}up{{else}}down{{end}}' web
  is "1" sh -c "still inspect --format json web | jq length"
  fails_with "Stat" still inspect --format '{{.Stat}}' web
}

@test "inspect finds containers, then images, then volumes; --type says which" {
  import_busybox
  still create --name busybox --runtime "$(any_runtime)" busybox true
  still volume create busybox
  is "/busybox" sh -c "still inspect --format '/{{.Name}}' busybox"
  is "amd64" still inspect --type image --format '{{.Architecture}}' busybox
  is "local" still inspect --type volume --format '{{.Driver}}' busybox
  still rm busybox
  is "amd64" still inspect --format '{{.Architecture}}' busybox
  still rmi busybox
  is "local" still inspect --format '{{.Driver}}' busybox
}

@test "inspect of what is not there prints what is" {
  still volume create here
  run --separate-stderr still inspect here nope
  [[ $status -eq 125 ]]
  is 1 jq length <<<"$output"
  [[ $stderr == 'Error: no such object: "nope"'* ]]
  run --separate-stderr still inspect nope
  [[ $status -eq 125 && $output == "[]" ]]
  fails_with "no names" still inspect
  fails_with "type" still inspect --type pod x
}

# --- info, version, help ----------------------------------------------------------------------------

@test "info: versions of all parts" {
  still info --format json >"$WORK/json"
  jq -e --arg root "$STILL_ROOT" --arg cgroup "$(cgroup_version)" '.store.graphRoot == $root and .host.cgroupVersion == $cgroup and
    (.host.criu.version | test("^[0-9]+[.][0-9]")) and (.host.conmon.version | test("conmon")) and
    (.host.criu.forkCut == {"works": true, "skeleton": "parent-image", "reason": ""}) and
    ([.host.ociRuntimes[].name] == ["crun", "runc"]) and (.host.ociRuntimes[].version | test("^[0-9]")) and
    .store.containerStore == {"number": 0, "paused": 0, "running": 0, "stopped": 0}' "$WORK/json"
  is "$(cgroup_version)" still info --format '{{.host.cgroupVersion}}'
  still info | grep -E '^host:$'
}

@test "version, in all ways to ask for it" {
  version=$(still version --format '{{.Client.Version}}')
  is "still version $version" still --version
  still version | grep -F "$version"
}

@test "--root and --runroot say where things are" {
  mkdir "$WORK/other"
  still --root "$WORK/other" volume create elsewhere
  is "" still volume ls -q
  is "elsewhere" still --root "$WORK/other" volume ls -q
  is "$WORK/other" still --root "$WORK/other" info --format '{{.store.graphRoot}}'
}
