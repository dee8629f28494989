#!/usr/bin/env bats
# still container checkpoint: every flag, and what happens when something is in the way.

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }
teardown() {
  unmount_small
  finish_store
}

# mount_small: a file system of 16 MiB at $WORK/small.
mount_small() {
  truncate -s 16M "$WORK/disk"
  mkfs.ext4 -q "$WORK/disk"
  mkdir "$WORK/small"
  mount -o loop "$WORK/disk" "$WORK/small"
}

# Whatever state a test has left it in.
unmount_small() {
  mountpoint -q "$WORK/small" || return 0
  fsfreeze --unfreeze "$WORK/small" 2>/dev/null || true
  umount --lazy "$WORK/small"
}

# --- live ------------------------------------------------------------------------------------------

@test "a live checkpoint leaves the container running and writes a private, certified archive" {
  for runtime in $(runtimes); do
    start_ticker "live-$runtime" --runtime "$runtime" -v data:/data
    still container checkpoint --leave-running --export "$WORK/$runtime.tar" "live-$runtime"
    [[ $(stat -c %a "$WORK/$runtime.tar") == 600 ]]
    [[ $(state "live-$runtime" Status) == running ]]
    alive "live-$runtime"
    member "$WORK/$runtime.tar" still.json | jq -e '.consistent == true'
    [[ $(members "$WORK/$runtime.tar" | head -1) == still.json ]]
    no_staging_left
  done
}

@test "the archive has Podman's members and other tools read it" {
  start_ticker web -v data:/data
  still checkpoint -R -e "$WORK/web.tar" web
  for name in config.dump spec.dump checkpoint/ checkpoint/inventory.img checkpoint/descriptors.json \
    rootfs-diff.tar deleted.files volumes/data.tar devshm-checkpoint.tar stats-dump; do
    members "$WORK/web.tar" | grep -Fx "$name"
  done
  member "$WORK/web.tar" spec.dump | jq -e '.annotations["io.container.manager"] == "libpod"'
  checkpointctl show "$WORK/web.tar" | grep web
  checkpointctl inspect --all "$WORK/web.tar" >"$WORK/inspected"
  for text in "ID: $(still inspect --format '{{.Id}}' web)" "CRIU dump statistics" "Process tree" \
    "Open files" "Overview of mounts" "Destination: /data"; do
    grep -F "$text" "$WORK/inspected"
  done
}

@test "the manifest has size and SHA-256 of every member" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar" web
  mkdir "$WORK/unpacked"
  tar -xf "$WORK/web.tar" -C "$WORK/unpacked"
  # Directories are listed too, with a slash at the end.
  jq -r '.members | to_entries[] | select(.key | endswith("/") | not) |
         "\(.value.sha256)  \(.key)"' "$WORK/unpacked/still.json" >"$WORK/sums"
  [[ -s $WORK/sums ]]
  (cd "$WORK/unpacked" && sha256sum --check --quiet "$WORK/sums")
  (cd "$WORK/unpacked" && find . -type f ! -name still.json | wc -l) >"$WORK/files"
  [[ $(wc -l <"$WORK/sums") -eq $(cat "$WORK/files") ]]
}

@test "a paused container is captured and stays paused" {
  start_ticker web
  still pause web
  still checkpoint -R -e "$WORK/web.tar" web
  [[ $(state web Status) == paused ]]
  member "$WORK/web.tar" still.json | jq -e '.consistent == true'
  still unpause web
  alive web
  still restore -i "$WORK/web.tar" -n copy
  alive copy
}

@test "processes in cgroups below the container's own are frozen with it" {
  for runtime in $(runtimes); do
    start_ticker "web-$runtime" --runtime "$runtime"
    cgroup=$(own_cgroup "web-$runtime")
    mkdir -p "$cgroup/nested/deep"
    state "web-$runtime" Pid >"$cgroup/nested/deep/cgroup.procs"
    still checkpoint -R -e "$WORK/$runtime.tar" "web-$runtime"
    member "$WORK/$runtime.tar" still.json | jq -e '.consistent == true'
    alive "web-$runtime"
    still restore -i "$WORK/$runtime.tar" -n "copy-$runtime"
    alive "copy-$runtime"
  done
}

# A runtime that writes down what the container's freezer says when it is called for a checkpoint,
# and when it has done that.
nosy_runtime() {
  local file=cgroup.freeze look
  [[ $(cgroup_version) == v2 ]] || file=freezer.self_freezing
  look="cat \$(find /sys/fs/cgroup -path '*'\${*: -1}'*/$file') >>$WORK/seen"
  fake_runtime "$look; $(command -v "$(any_runtime)") \"\$@\" || exit; $look; exit 0"
}

@test "frozen after the runtime is called and until it is done; not at all when CRIU ends the container" {
  nosy_runtime
  start_ticker web --runtime "$WORK/fake"
  still checkpoint -R -e "$WORK/web.tar" web
  is $'0\n1' cat "$WORK/seen"
  still pause web
  rm "$WORK/seen"
  still checkpoint -R -e "$WORK/web.tar" web
  is $'1\n1' cat "$WORK/seen"
  still unpause web
  rm "$WORK/seen"
  still checkpoint -e "$WORK/web.tar" web
  is 0 head -1 "$WORK/seen"
}

@test "a container without cgroups gets a weaker checkpoint that says so" {
  only_v2 "crun, which can do without cgroups, needs v2"
  start_ticker web --cgroups=disabled
  run still checkpoint -R -e "$WORK/web.tar" web
  echo "$output"
  [[ $status -eq 0 && $output == *"not certified consistent"* ]]
  member "$WORK/web.tar" still.json |
    jq -e '.consistent == false and (.inconsistent_because | length > 0)'
  alive web
}

@test "--require-freeze is an error without cgroups and touches nothing" {
  only_v2 "crun, which can do without cgroups, needs v2"
  start_ticker web --cgroups=disabled
  fails_with "no cgroup of its own" still checkpoint -R --require-freeze -e "$WORK/web.tar" web
  [[ ! -e $WORK/web.tar ]]
  alive web
}

@test "--require-freeze is satisfied by an ordinary container" {
  start_ticker web
  still checkpoint -R --require-freeze -e "$WORK/web.tar" web
}

@test "without --export a live checkpoint stays in the store and rolls the container back" {
  start_ticker web -v data:/data
  still exec web sh -c 'echo old >/state; echo old >/data/state'
  still checkpoint -R web
  still exec web sh -c 'echo new >/state; echo new >/data/state; touch /later'
  still stop -t 0 web
  still restore web
  [[ $(still exec web cat /state /data/state) == $'old\nold' ]]
  run still exec web test -e /later
  [[ $status -eq 1 ]]
  alive web
}

@test "inspect names no checkpoint that is gone" {
  local path
  for runtime in $(runtimes); do
    start_ticker web --runtime "$runtime"
    still checkpoint -R -e "$WORK/web.tar" web
    [[ $(state web CheckpointPath) == "$WORK/web.tar" ]]
    rm "$WORK/web.tar"
    [[ -z $(state web CheckpointPath) ]]
    still checkpoint -R web
    [[ -e $(state web CheckpointPath) ]]
    still stop -t 0 web
    still restore web
    [[ -z $(state web CheckpointPath) ]]
    still checkpoint web
    path=$(state web CheckpointPath)
    [[ -d $path ]]
    still restore web
    [[ -z $(state web CheckpointPath) ]]
    still checkpoint --keep web
    [[ -d $(state web CheckpointPath) && -e $(state web CheckpointLog) ]]
    still start --discard-checkpoint web
    [[ -z $(state web CheckpointPath) && ! -e $path ]]
    still stop -t 0 web
    still start web
    [[ -z $(state web CheckpointPath) && $(state web CheckpointedAt) != 0001* ]]
    alive web
    still rm -f -t 0 web
  done
}

# --- default ---------------------------------------------------------------------------------------

@test "the default checkpoint ends the container and restore brings it back in place" {
  for runtime in $(runtimes); do
    start_ticker "stop-$runtime" --runtime "$runtime"
    before=$(count "stop-$runtime")
    still container checkpoint "stop-$runtime"
    [[ $(state "stop-$runtime" Status) == exited ]]
    [[ $(state "stop-$runtime" Checkpointed) == true ]]
    [[ $(state "stop-$runtime" CheckpointedAt) != 0001* ]]
    still container restore "stop-$runtime"
    [[ $(state "stop-$runtime" Status) == running ]]
    [[ $(state "stop-$runtime" Restored) == true ]]
    [[ $(count "stop-$runtime") -ge $before ]]
    alive "stop-$runtime"
  done
}

@test "a start that would throw a checkpoint away refuses and names the choice" {
  local images
  start_ticker web
  start_ticker other
  still checkpoint web
  images=$(state web CheckpointPath)
  for arguments in web "-a web" --all; do
    # shellcheck disable=SC2086
    ends_with 125 still start $arguments 2>"$WORK/err" >"$WORK/out"
    cat "$WORK/err"
    is "Error: container web has ended with a checkpoint, which a start would throw away; still restore web brings it back, still start --discard-checkpoint web starts it anew" cat "$WORK/err"
  done
  [[ $(state web Status) == exited && $(state web Checkpointed) == true ]]
  still restore web
  alive web
  still checkpoint web
  still start --discard-checkpoint web
  [[ $(state web Checkpointed) == false && ! -e $images ]]
  alive web
  # Neither a live checkpoint nor an end without one is in the way of a start.
  still checkpoint -R web
  still stop -t 0 web
  still start web
}

@test "rm says which checkpoints went with a container" {
  start_ticker web
  is web still rm -f web 2>&1
  start_ticker web
  still checkpoint -R web
  still checkpoint web
  still rm web 2>"$WORK/err"
  cat "$WORK/err"
  [[ $(wc -l <"$WORK/err") -eq 1 ]]
  grep -E "with container web went its stopping checkpoint of .* ago \([0-9.]+[KM]iB\) and its live checkpoint of .* ago \([0-9.]+[KM]iB\)" "$WORK/err"
}

@test "checkpoints in the store are listed, inspected and removed" {
  start_ticker web
  start_ticker ls # a name like any other
  is "" still checkpoints ls -q
  still checkpoint -R web ls
  still checkpoint web
  is $'web/stopping\nweb/live\nls/live' still checkpoints ls -q
  is $'web/stopping\nweb/live' still checkpoints ls -q web
  still checkpoints ls | tee "$WORK/list"
  head -1 "$WORK/list" | grep -E "^NAME +CONTAINER ID +CREATED +SIZE +PAUSE +CERTIFIED +MEMORY CUT$"
  grep -E "^web/stopping +[0-9a-f]{12} +.* ago +[0-9.]+[KM]iB +- +- +-$" "$WORK/list"
  grep -E "^web/live +[0-9a-f]{12} +.* ago +[0-9.]+[KM]iB +[0-9.]+ m?s +yes +(protect|fork|stock)$" "$WORK/list"
  still checkpoints ls --no-trunc --noheading ls | grep -E "^ls/live +$(still inspect --format '{{.Id}}' ls) "
  still checkpoints ls --format json web | jq -e '.[1] | .Name == "web/live" and .ContainerName == "web" and .Kind == "live"
    and .Size > 0 and .PauseMicroseconds > 0 and .Consistent and (.Path | endswith("/checkpoint.tar"))'
  still checkpoints ls --format json web | jq -e '.[0] | .Kind == "stopping" and .Consistent == null and .PauseMicroseconds == null'
  still checkpoints inspect web | jq -e 'length == 2 and .[1].Trees[0].Name == "rootfs" and .[1].Versions.criu'
  is live still checkpoints inspect --format '{{.Kind}}' ls/live
  still __complete -- checkpoints rm "" | cut -f1 | grep -Fx web/live
  # Without its images it is a container that has ended, and is set back to the live one.
  is web/stopping still checkpoints rm web/stopping
  [[ $(state web Checkpointed) == false && -z $(state web CheckpointPath) ]]
  still restore web
  alive web
  is "" still checkpoints ls -q web
  is ls/live still checkpoints rm --all
  alive ls
  is "" still checkpoints ls -q
  for arguments in "inspect web" "rm web/live" "rm none/live" "ls none"; do
    # shellcheck disable=SC2086
    ends_with 125 still checkpoints $arguments 2>"$WORK/err"
    grep -E "no such (checkpoint|container): " "$WORK/err"
  done
  still checkpoints rm --force web/live none/live
  fails_with "or use --all" still checkpoints rm
}

@test "what --keep has left of a checkpoint that was restored is listed as used up, and is no reason against a start" {
  start_ticker web
  still checkpoint web
  still restore --keep web
  is web/used-up still checkpoints ls -q
  still stop -t 0 web
  still start web
  is web/used-up still checkpoints rm web
  [[ ! -e $STILL_ROOT/containers/$(still inspect --format '{{.Id}}' web)/checkpoint ]]
  alive web
}

@test "a damaged checkpoint in the store is listed all the same" {
  start_ticker web
  still checkpoint -R web
  echo no archive >"$(state web CheckpointPath)"
  still checkpoints ls | grep -E "^web/live .* 11B +- +- +-$"
  is web/live still checkpoints rm web
}

@test "the default checkpoint can be exported too" {
  start_ticker web
  still checkpoint -e "$WORK/web.tar" web
  [[ $(state web Status) == exited ]]
  still restore -i "$WORK/web.tar" -n copy
  alive copy
  still restore web
  alive web
}

@test "a --rm container needs --export, and is removed once it has it" {
  start_ticker web --rm
  fails_with "--rm" still checkpoint web
  alive web
  still checkpoint -e "$WORK/web.tar" web
  run still container exists web
  [[ $status -eq 1 ]]
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
  alive web
}

@test "/dev/shm survives a restore in place" {
  start_ticker web
  still exec web sh -c 'echo shared >/dev/shm/note'
  still checkpoint web
  still restore web
  [[ $(still exec web cat /dev/shm/note) == shared ]]
}

# --- flags -----------------------------------------------------------------------------------------

@test "--compress zstd, gzip and none" {
  start_ticker web
  for kind in zstd gzip none; do
    still checkpoint -R -e "$WORK/$kind.tar" -c "$kind" web
    tar -tf "$WORK/$kind.tar" | grep -Fx checkpoint/inventory.img
    still restore -i "$WORK/$kind.tar" -n "copy-$kind"
    alive "copy-$kind"
    still rm -f "copy-$kind"
  done
  file -b "$WORK/zstd.tar" | grep -i zstandard
  file -b "$WORK/gzip.tar" | grep -i gzip
  file -b "$WORK/none.tar" | grep -i tar
  fails_with "compression" still checkpoint -R -e "$WORK/x.tar" -c lzma web
  fails_with "--export" still checkpoint -R -c zstd web
}

@test "--ignore-rootfs and --ignore-volumes leave them out" {
  start_ticker web -v data:/data
  still checkpoint -R -e "$WORK/web.tar" --ignore-rootfs --ignore-volumes web
  run members "$WORK/web.tar"
  [[ $output != *rootfs-diff* && $output != *deleted.files* && $output != *volumes/* ]]
  fails_with "--export" still checkpoint -R --ignore-rootfs web
}

@test "--keep keeps CRIU's log and statistics, otherwise they go" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar" web
  [[ -z $(state web CheckpointLog) ]]
  still checkpoint -R -k -e "$WORK/web.tar" web
  log=$(state web CheckpointLog)
  [[ -s $log && -s $(dirname "$log")/stats-dump ]]
}

@test "--print-stats has Podman's keys and the true pause" {
  start_ticker web
  run still checkpoint -R -e "$WORK/web.tar" --print-stats web
  echo "$output"
  jq -e '.podman_checkpoint_duration > 0' <<<"$output"
  jq -e '.container_statistics[0] | .Id and .runtime_checkpoint_duration > 0' <<<"$output"
  jq -e '.container_statistics[0].criu_statistics |
         has("freezing_time") and .frozen_time > 0 and .memdump_time > 0 and has("memwrite_time")
         and .pages_scanned > 0 and .pages_written > 0' <<<"$output"
  jq -e '.container_statistics[0].still_statistics.pause >= .container_statistics[0].criu_statistics.frozen_time' \
    <<<"$output"
  # Of its phases, dump and capture are inside the pause, and all are inside the whole.
  jq -e '.container_statistics[0].still_statistics | .freeze >= 0 and .dump > 0 and .capture > 0
         and .pause >= .dump and .pause >= .capture and .total >= .freeze + .pause' <<<"$output"
}

@test "a failed --print-stats prints no JSON, and what succeeded beside it is told" {
  start_ticker web
  still run --name ended --rootfs "$ROOTFS" true
  fails_with "not running" still checkpoint -R --print-stats ended
  fails_with "no checkpoint" still restore --print-stats ended
  ends_with 125 still checkpoint -R --print-stats ended web >"$WORK/stats"
  jq -e '.container_statistics | length == 1' "$WORK/stats"
}

@test "a person at a terminal is told in one line what came of it, others are not" {
  start_ticker web
  # On a terminal of its own; standard output, which is the name alone, is apart.
  script -qec "still checkpoint -R -e '$WORK/web.tar' web >'$WORK/out'" /dev/null </dev/null | tee "$WORK/told"
  grep -E "web stood still for [0-9.]+ m?s; its checkpoint \([0-9.]+[KM]iB\) is in $WORK/web.tar, certified consistent" "$WORK/told"
  is "$(still inspect --format '{{.Id}}' web)" cat "$WORK/out"
  is "" sh -c "still checkpoint -R -e '$WORK/web.tar' web 2>&1 >/dev/null"
  script -qec 'still checkpoint web' /dev/null </dev/null | tee "$WORK/told"
  grep -E "web has ended; its memory \([0-9.]+[KM]iB\) is in the store: still restore web brings it back" "$WORK/told"
}

@test "--all, --latest and several names" {
  start_ticker one
  start_ticker two
  run still checkpoint -R -a
  [[ $status -eq 0 && ${#lines[@]} -eq 2 ]]
  run still checkpoint -l
  [[ $status -eq 0 ]]
  [[ $(state two Status) == exited && $(state one Status) == running ]]
  still restore -l
  run still checkpoint one two
  [[ $status -eq 0 ]]
  [[ $(state one Status) == exited && $(state two Status) == exited ]]
  still restore -a
  alive one
  alive two
  fails_with "one container" still checkpoint -R -e "$WORK/x.tar" one two
}

start_lock() {
  still run -d --name lock --rootfs "$ROOTFS" /bin/holder lock /lockfile
  eventually sh -c 'still logs lock | grep -Fx locked'
}

@test "--file-locks is needed for a process that holds one" {
  start_lock
  fails_with "lock" still checkpoint -R -e "$WORK/lock.tar" lock
  [[ $(state lock Status) == running ]]
  still checkpoint -R --file-locks -e "$WORK/lock.tar" lock
  fails_with "--file-locks" still restore -i "$WORK/lock.tar" -n copy
  still restore --file-locks -i "$WORK/lock.tar" -n copy
  # Still held: another one cannot have it.
  run still exec copy /bin/holder lock /lockfile
  [[ $status -eq 1 && $output == *flock* ]]
}

# The number that went over the connection last, or "closed".
passed() { still logs "$1" | tail -1 | sed 's/passed //'; }
passes_more() { [[ $(passed "$1") -gt $2 ]]; }

@test "--tcp-established is needed for established connections, --tcp-close drops them" {
  still run -d --name tcp --rootfs "$ROOTFS" /bin/sh -c 'ifconfig lo up; exec /bin/holder tcp 7000'
  eventually passes_more tcp 3
  fails_with "--tcp-established" still checkpoint -R -e "$WORK/tcp.tar" tcp
  eventually passes_more tcp "$(passed tcp)"
  still checkpoint -R --tcp-established -e "$WORK/tcp.tar" tcp
  eventually passes_more tcp "$(passed tcp)"
  still restore --tcp-established -i "$WORK/tcp.tar" -n copy
  eventually passes_more copy "$(passed copy)"
  still restore --tcp-close -i "$WORK/tcp.tar" -n closed
  eventually sh -c 'still logs closed | grep -Fx closed'
}

@test "an archive through standard output and input" {
  start_ticker web
  still checkpoint -R -e - web >"$WORK/web.tar.zst"
  still archive verify "$WORK/web.tar.zst"
  still checkpoint -R -c none -e - web | still restore -i - -n copy
  alive copy
  alive web
  # Not where it would be lost, or mixed with other things.
  fails_with "standard output may fail" still checkpoint -e - web
  fails_with "both write to standard output" still checkpoint -R -e - --print-stats web
  fails_with "standard output" sh -c 'still checkpoint -R -e - web >/dev/full'
  script -qec 'still checkpoint -R -e - web' /dev/null </dev/null | grep -q "not written to a terminal"
  alive web
  [[ ! -e - ]]
  no_staging_left
}

@test "what was sent and not received yet is in original and copy, in place too" {
  local name
  for runtime in $(runtimes); do
    still run -d --name sender --runtime "$runtime" --network none --rootfs "$ROOTFS" /bin/sh -c 'ifconfig lo up; exec /bin/holder fill 7000'
    eventually sh -c 'still logs sender | grep -q "^sent"'
    still checkpoint -R --tcp-established -e "$WORK/sender.tar" sender
    still restore --tcp-established -i "$WORK/sender.tar" -n copy
    still checkpoint --tcp-established sender
    still restore --tcp-established sender
    for name in copy sender; do
      still kill -s USR1 "$name"
      is 0 still wait "$name"
    done
    still rm -f copy sender
  done
}

# connect CONTAINER COUNT: connections, 10 ms apart; prints what took the longest, in ms.
connect() { nsenter -t "$(state "$1" Pid)" -n "$BATS_TEST_DIRNAME/connect" 7000 "$2"; }

@test "who connects while the container stands still is served at once, and is not in the copy" {
  for runtime in $(runtimes); do
    still run -d --name server --runtime "$runtime" --rootfs "$ROOTFS" \
      /bin/sh -c 'ifconfig lo up; exec /bin/holder echo 7000' >/dev/null
    eventually connect server 1 >/dev/null
    at frozen "nsenter -t $(state server Pid) -n '$BATS_TEST_DIRNAME/connect' 7000 30 \
      >'$WORK/slowest' 2>&1 & sleep 0.1" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/server.tar" server
    eventually test -s "$WORK/slowest"
    echo "the slowest of $runtime: $(<"$WORK/slowest") ms"
    [[ $(<"$WORK/slowest") -lt 1000 ]] # a packet that is dropped comes again after a second
    still restore -i "$WORK/server.tar" -n copy >/dev/null
    eventually connect copy 3
    still rm -f server copy >/dev/null
    rm "$WORK/server.tar" "$WORK/slowest"
  done
}

@test "--dry-run prints the plan and touches nothing" {
  start_ticker web -v data:/data
  run still checkpoint -R --dry-run -e "$WORK/web.tar" web
  echo "$output"
  [[ $status -eq 0 && $output == *rootfs* && $output == *volume:data* && $output == *"$WORK/web.tar"* ]]
  [[ ! -e $WORK/web.tar ]]
  [[ $(state web Checkpointed) == false ]]
}

@test "--dry-run says for each container whether it can be checkpointed, by its exit code too" {
  start_ticker web -v data:/data
  start_ticker other
  still run --name ended --rootfs "$ROOTFS" true
  still checkpoint -R --dry-run web other | tee "$WORK/plans"
  [[ $(grep -c "^verdict    can be checkpointed$" "$WORK/plans") -eq 2 ]]
  fails_with "not running" still checkpoint -R --dry-run ended
  fails_with "would stand still for about" still checkpoint -R --dry-run --max-pause 1us web
  # One that cannot is no reason to be silent about the others.
  ends_with 125 still checkpoint -R --dry-run ended web >"$WORK/plans"
  grep -x "verdict    can be checkpointed" "$WORK/plans"
  ends_with 125 still checkpoint -R --dry-run --format json ended web >"$WORK/plans" 2>"$WORK/err"
  jq -e 'length == 2 and (.[0] | .Possible == false and .ContainerName == "ended" and (.Reason | contains("not running")))
    and (.[1] | .Possible and .Certifiable and .ContainerName == "web" and .MemoryBytes > 0 and .PauseMicroseconds > 0
    and ([.Trees[].Name] | index("volume:data")))' "$WORK/plans"
  [[ $(wc -l <"$WORK/err") -eq 1 ]]
  is $'web true\nother true' still checkpoint -R --dry-run --format '{{.ContainerName}} {{.Possible}}' web other
  is $'other false' sh -c "still checkpoint -R --dry-run --max-pause 1us --format '{{.ContainerName}} {{.Possible}}' other 2>/dev/null || true"
  fails_with "add --dry-run" still checkpoint -R --format json web
  still checkpoint --dry-run --format json web | jq -e '.[0] | .Possible and .PauseMicroseconds == null'
  [[ $(state web Checkpointed) == false && -z $(still checkpoints ls -q) ]]
}

@test "--dry-run says when a checkpoint would not be certified" {
  only_v2 "crun, which can do without cgroups, needs v2"
  start_ticker web --cgroups=disabled
  still checkpoint -R --dry-run web | grep "^verdict    can be checkpointed, but not certified consistent: it has no cgroup of its own$"
  still checkpoint -R --dry-run --format json web | jq -e '.[0].Certifiable == false'
}

@test "flags of later versions say that they are not supported yet" {
  start_ticker web
  for flag in -P --with-previous "--create-image x"; do
    # shellcheck disable=SC2086
    fails_with "not supported yet" still checkpoint -R $flag web
  done
  alive web
}

# --- in the way ------------------------------------------------------------------------------------

@test "refused before the container is touched" {
  start_ticker web
  fails_with "no such container" still checkpoint -R nothing
  fails_with "is a directory" still checkpoint -R -e "$WORK" web
  fails_with "does not exist" still checkpoint -R -e "$WORK/no/such/web.tar" web
  fails_with "not a regular file" still checkpoint -R -e /dev/null web
  fails_with "names no file" still checkpoint -R -e "" web
  fails_with "File name too long" still checkpoint -R -e "$WORK/$(printf 'x%.0s' {1..300})" web
  fails_with "no container was named" still checkpoint -R
  fails_with "more than one way" still checkpoint -R --latest web
  fails_with "unknown flag: --no-such-flag" still checkpoint -R --no-such-flag web
  for flag in --freeze-timeout --runtime-timeout --memory-staging; do
    fails_with "soon" still checkpoint -R "$flag" soon web
  done
  [[ $(state web Checkpointed) == false && $(state web CheckpointedAt) == 0001* ]]
  alive web
  still stop -t 0 web
  fails_with "not running" still checkpoint -R web
}

@test "a path longer than system calls take is captured, and refused in words where a process holds it open" {
  local kept
  for runtime in $(runtimes); do
    for kept in nothing directory file; do
      still run -d --name "$kept" --runtime "$runtime" --network none --rootfs "$ROOTFS" /bin/holder deep "$kept"
      eventually is deep still logs "$kept"
    done
    fails_with "the path of its working directory of process" still checkpoint -R -e "$WORK/web.tar" directory
    fails_with "the path of descriptor 3 of process" still checkpoint file
    still checkpoint -R -e "$WORK/web.tar" nothing
    still restore -i "$WORK/web.tar" -n copy
    [[ $(find "$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' copy)/upper" -name file | wc -l) -eq 1 ]]
    for kept in nothing directory file copy; do has_state "$kept" running; done
    still rm -f -t 0 --all
  done
}

@test "a root file system on an overlay is refused in words" {
  mkdir "$WORK"/{lower,upper,work,merged}
  mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/merged"
  still run -d --name nested --rootfs "$WORK/merged" /bin/sleep 1000 >/dev/null
  fails_with "is on an overlay that has another overlay as a layer" still checkpoint -R -e "$WORK/archive" nested
  fails_with "is on an overlay that has another overlay as a layer" still checkpoint --dry-run nested
  [[ $(state nested Status) == running && ! -e $WORK/archive ]]
  still rm --force nested
  umount "$WORK/merged"
}

@test "refused without CRIU" {
  start_ticker web
  mkdir "$WORK/bin"
  for program in crun runc conmon sh bash cat env; do
    ln -s "$(command -v "$program")" "$WORK/bin/$program"
  done
  fails_with "criu" env PATH="$WORK/bin" "$(command -v still)" checkpoint -R -e "$WORK/web.tar" web
  alive web
}

# Whether a process of the container sleeps uninterruptibly.
somebody_waits() {
  local pid
  while read -r pid; do
    ! grep -q '^State:.D' "/proc/$pid/status" || return 0
  done <"$(own_cgroup "$1")/cgroup.procs"
  return 1
}

# A process that waits for a frozen file system cannot be frozen itself, with cgroups v2; v1 takes
# such a wait for frozen.
@test "a freeze that takes too long is given up, names the cause, and the container runs" {
  only_v2 "with v1 everything in this test can be frozen"
  mount_small
  still run -d --name web -v "$WORK/small:/small" --rootfs "$ROOTFS" /bin/sh -c '
    (until [ -e /go ]; do sleep 0.02; done; echo >/small/written) &
    i=0
    while :; do i=$((i + 1)); echo "$i" >/count; sleep 0.02; done'
  eventually container_counts web
  fsfreeze --freeze "$WORK/small"
  still exec web touch /go
  eventually somebody_waits web
  fails_with "not frozen: " still checkpoint -R --freeze-timeout 300ms -e "$WORK/web.tar" web
  [[ ! -e $WORK/web.tar ]]
  alive web
  no_staging_left
  fsfreeze --unfreeze "$WORK/small"
  # What was in the way has gone.
  eventually test -e "$WORK/small/written"
  still checkpoint -R -e "$WORK/web.tar" web
}

@test "hardly any time to freeze: whatever comes of it, the container runs" {
  start_ticker web
  run still checkpoint -R --freeze-timeout 1ns -e "$WORK/web.tar" web
  echo "$output"
  [[ $status -eq 0 || $output == *"did not freeze in time"* ]]
  alive web
  no_staging_left
}

# A runtime that is the real one but for what it does on "checkpoint".
fake_runtime() {
  local real
  real=$(command -v "$(any_runtime)")
  cat >"$WORK/fake" <<SCRIPT
#!/bin/bash
for word in "\$@"; do [[ \$word == checkpoint ]] && { $1; }; done
exec $real "\$@"
SCRIPT
  chmod +x "$WORK/fake"
}

@test "a runtime that fails leaves the container running and nothing else" {
  fake_runtime 'echo something is wrong >&2; exit 1'
  start_ticker web --runtime "$WORK/fake"
  fails_with "something is wrong" still checkpoint -R -e "$WORK/web.tar" web
  [[ -z $(find "$WORK" -name '*web.tar*') ]]
  alive web
  no_staging_left
  fails_with "something is wrong" still checkpoint web
  alive web
}

@test "a runtime that hangs is ended and the container runs" {
  fake_runtime 'sleep 600'
  start_ticker web --runtime "$WORK/fake"
  fails_with "did nothing" still checkpoint -R --runtime-timeout 1s -e "$WORK/web.tar" web
  alive web
  no_staging_left
}

@test "an archive of that name is replaced by a checkpoint that succeeds, and by no other" {
  echo precious >"$WORK/web.tar"
  fake_runtime '[[ ! -e $WORK/fail ]] || exit 1'
  start_ticker web --runtime "$WORK/fake"
  touch "$WORK/fail"
  fails_with "failed" still checkpoint -R -e "$WORK/web.tar" web
  is precious cat "$WORK/web.tar"
  rm "$WORK/fail"
  still checkpoint -R -e "$WORK/web.tar" web
  member "$WORK/web.tar" still.json | jq -e .consistent
  [[ $(stat -c %a "$WORK/web.tar") == 600 ]]
}

@test "a CRIU that fails is explained and its log is kept" {
  start_lock
  run still checkpoint -R -e "$WORK/lock.tar" lock
  echo "$output"
  [[ $status -eq 125 && $output == *"CRIU failed"* && $output == *"log is "* ]]
  log=$(sed 's/.*log is //' <<<"$output")
  [[ -s $log ]]
}

@test "a full target file system: an error, no file, a running container" {
  start_ticker web
  still exec web dd if=/dev/urandom of=/big bs=1M count=24
  mount_small
  run still checkpoint -R -e "$WORK/small/web.tar" web
  echo "$output"
  left=$(find "$WORK/small" -type f)
  [[ $status -eq 125 && $output == *"No space left"* && -z $left ]]
  alive web
  no_staging_left
}

@test "a default checkpoint whose export fails is safe in the store" {
  start_ticker web
  still exec web dd if=/dev/urandom of=/big bs=1M count=24
  mount_small
  run still checkpoint -e "$WORK/small/web.tar" web
  echo "$output"
  [[ $status -eq 125 && $output == *"still restore web"* ]]
  still restore web
  alive web
}

@test "a default checkpoint of a volume that another container writes to is not certified" {
  start_ticker web -v data:/data
  still run -d --name other -v data:/data --rootfs "$ROOTFS" sh -c 'while :; do sleep 1; done'
  still checkpoint --dry-run -e "$WORK/web.tar" web | grep -q "other writes to the same volume: the archive will not be certified"
  still checkpoint -e "$WORK/web.tar" web 2>"$WORK/said"
  [[ $(cat "$WORK/said") == *"not certified consistent: running containers write to the same volumes: other"* ]]
  [[ $(manifest "$WORK/web.tar" .consistent) == false ]]
  still restore web
  # Nobody writes to what is left out, and what is not running.
  still checkpoint --ignore-volumes -e "$WORK/web.tar" web
  [[ $(manifest "$WORK/web.tar" .consistent) == true ]]
  still restore web
  still rm -f other
  still checkpoint -e "$WORK/web.tar" web
  [[ $(manifest "$WORK/web.tar" .consistent) == true ]]
}
