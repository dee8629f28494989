#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of containers that an OCI runtime alone knows.

bats_require_minimum_version 1.5.0

load helpers
load workload

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() {
  begin_store
  BUNDLE=$WORK/bundle STATE=$WORK/state ID=c$RANDOM
}

teardown() {
  end_container
  finish_store
}

# start RUNTIME COMMAND...: a container $ID on an overlay, with a pipe for what it writes.
start() {
  RUNTIME=$1
  shift
  mkdir -p "$BUNDLE/rootfs" "$WORK"/{upper,work,host}
  mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$WORK/upper,workdir=$WORK/work" "$BUNDLE/rootfs"
  (cd "$BUNDLE" && "$RUNTIME" spec)
  configure '.process.terminal = false | .process.args = $ARGS.positional | .root.readonly = false
    | .linux.cgroupsPath = "/oci-test/" + $id | del(.linux.resources)
    | .mounts += [{destination: "/host", type: "bind", source: $host, options: ["rbind"]}]' "$@"
  run_container run --detach
}

# configure FILTER [ARGUMENT...]
configure() {
  local filter=$1
  shift
  jq --arg id "$ID" --arg host "$WORK/host" "$filter" "$BUNDLE/config.json" --args -- "$@" >"$WORK/config.json"
  mv "$WORK/config.json" "$BUNDLE/config.json"
}

# With a pipe for what it writes, as engines have it.
run_container() {
  "$RUNTIME" --root "$STATE" "$@" --bundle "$BUNDLE" "$ID" </dev/null > >(cat >>"$WORK/log" 3>&-) 2>&1 3>&-
}

# A runtime that finds it ending leaves its cgroup.
kill_container() {
  "$RUNTIME" --root "$STATE" kill "$ID" KILL 2>/dev/null || true
  eventually grep "populated 0" "/sys/fs/cgroup/oci-test/$ID/cgroup.events"
  "$RUNTIME" --root "$STATE" delete --force "$ID"
}

end_container() {
  [[ -n ${RUNTIME:-} ]] || return 0
  kill_container
  umount "$BUNDLE/rootfs"
  rmdir /sys/fs/cgroup/oci-test 2>/dev/null || true
}

of_oci=(--engine oci --runtime-root)
checkpoint() { still checkpoint --leave-running --export "$WORK/archive" --runtime "$RUNTIME" "${of_oci[@]}" "$STATE" "$@"; }
steps() { sed -n 's/.* steps=\([0-9]*\).*/\1/p' "$WORK/log" | tail -n 1; }
steps_beyond() { [[ $(steps) -gt $1 ]]; }
goes_on() { eventually steps_beyond "$(steps)"; }

state_of_engine() {
  find "$STATE" -type f -exec sha256sum {} +
  "$RUNTIME" --root "$STATE" state "$ID"
}

# A restore by the runtime: the files of the archive, and the images.
restore() {
  kill_container
  umount "$BUNDLE/rootfs"
  rm -rf "$WORK"/{upper,work,images} && mkdir "$WORK"/{upper,work,images}
  tar --extract --file="$WORK/archive" --directory="$WORK/images"
  tar --extract --file="$WORK/images/rootfs-diff.tar" --directory="$WORK/upper"
  mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=$WORK/upper,workdir=$WORK/work" "$BUNDLE/rootfs"
  run_container restore --detach --image-path "$WORK/images/checkpoint"
}

# Each copy counts on, sees that memory and files go together, and is the next original.
copies_of_copies_count() {
  local round
  start "$1" /bin/counter --report 50
  eventually steps_beyond 0
  for round in {1..5}; do
    checkpoint "$ID" --memory-cut="$(memory_way "$round")" --compress none
    [[ $(manifest "$WORK/archive" .consistent) == true && $(manifest "$WORK/archive" .engine) == oci ]]
    still archive verify "$WORK/archive"
    goes_on
    restore
    goes_on
  done
  ! grep INCONSISTENT "$WORK/log"
}
for runtime in crun runc; do
  bats_test_function --description "copies of copies are consistent, by $runtime" -- copies_of_copies_count "$runtime"
done

runtime_sees_nothing() {
  local before
  start "$1" /bin/counter --report 50
  eventually steps_beyond 0
  before=$(state_of_engine)
  checkpoint "$ID"
  [[ $(state_of_engine) == "$before" ]]
  goes_on
}
for runtime in crun runc; do
  bats_test_function --description "nothing of the state of $runtime is written to" -- runtime_sees_nothing "$runtime"
done

# Nothing says its image: what it begins with is named.
restored_by_still() {
  start "$1" /bin/counter --report 50
  eventually steps_beyond 0
  checkpoint "$ID"
  still archive verify "$WORK/archive"
  fails_with "is not in this store" still restore --import "$WORK/archive" --name copy --allow-spec
  fails_with "-v $WORK/host:/host" still restore --import "$WORK/archive" --name copy --rootfs "$ROOTFS"
  still restore --import "$WORK/archive" --name copy --rootfs "$ROOTFS" --allow-spec
  eventually says copy steps=
  still stop --time 60 copy
  container_ends_with 0 copy
  goes_on
}
for runtime in crun runc; do
  bats_test_function --description "restored under another name by Still, $runtime" -- restored_by_still "$runtime"
done

@test "a paused container stays paused" {
  start crun /bin/counter --report 50
  eventually steps_beyond 0
  crun --root "$STATE" pause "$ID"
  checkpoint "$ID"
  [[ $(crun --root "$STATE" state "$ID" | jq --raw-output .status) == paused ]]
  [[ $(manifest "$WORK/archive" .consistent) == true ]]
  crun --root "$STATE" resume "$ID"
  goes_on
}

@test "what is the host's is left out, and said" {
  start crun sleep 1000
  checkpoint --dry-run "$ID" | grep "bind *$WORK/host at /host is the host's and left out"
  touch "$WORK/host/file"
  checkpoint "$ID"
  [[ $(tar --list --file "$WORK/archive") != *volumes* ]]
}

@test "one is found by its runtime's root alone" {
  start crun sleep 1000
  fails_with "no such container" still checkpoint -R -e "$WORK/archive" "$ID"
  fails_with "no such container" still checkpoint -R -e "$WORK/archive" --engine oci "$ID"
  fails_with "no such container" still checkpoint -R -e "$WORK/archive" "${of_oci[@]}" "$STATE" ../"$(basename "$STATE")"
}

@test "what cannot be had is refused before anything stands still" {
  start crun sleep 1000
  fails_with "would take its end for a crash; add --leave-running, or use \"crun checkpoint $ID\"" \
    still checkpoint -e "$WORK/archive" "${of_oci[@]}" "$STATE" "$ID"
  fails_with "add --export FILE" still checkpoint -R "${of_oci[@]}" "$STATE" "$ID"
  fails_with "there is no OCI runtime" still checkpoint -R --engine oci --runtime nothing "$ID"
  fails_with "add --engine oci, or leave --runtime-root out" still checkpoint -R -e "$WORK/archive" --runtime-root "$STATE" "$ID"
  fails_with "add --engine oci" still ps --runtime crun
  fails_with "knows no engine" still checkpoint -R --engine nothing "$ID"
}

@test "a container on no overlay, or without an own namespace for processes, is refused" {
  start crun sleep 1000
  kill_container
  configure '.linux.namespaces |= map(select(.type != "pid"))'
  run_container run --detach
  fails_with "has no process namespace of its own" checkpoint "$ID"
  kill_container
  configure '.linux.namespaces += [{type: "pid"}] | .root.path = $ARGS.named.host'
  cp --archive "$ROOTFS/." "$WORK/host"
  run_container run --detach
  fails_with "is no overlay" checkpoint "$ID"
}

@test "a bundle that is gone is said" {
  start crun sleep 1000
  mv "$BUNDLE/config.json" "$WORK/elsewhere"
  fails_with "the bundle of container $ID is gone" checkpoint "$ID"
  mv "$WORK/elsewhere" "$BUNDLE/config.json"
}
