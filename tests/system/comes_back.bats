#!/usr/bin/env bats
# cgroups: v2
# What is certified can be restored, and a checkpoint that ends a container can bring it back.

bats_require_minimum_version 1.5.0

load usual

# goes_on NAME: it runs, and nothing holds it.
goes_on() { [[ $(still inspect --format '{{.State.Status}}' "$1") == running ]] && alive "$1"; }

no_trial_left() {
  no_staging_left
  [[ -z $(find /sys/fs/cgroup -type d -name 'trial-*') ]]
  ! grep -q " $STILL_ROOT/staging" /proc/self/mountinfo
}

# is_not_ended_for STATE WORDS: by a default checkpoint, and a live one is not certified.
is_not_ended_for() {
  local init
  still run -d --name odd --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" /bin/odd "$1" - >/dev/null
  eventually says odd ready
  init=$(still inspect --format '{{.State.Pid}}' odd)
  fails_with "$2" still checkpoint -e "$WORK/archive" odd
  [[ ! -e $WORK/archive && $(still inspect --format '{{.State.Status}} {{.State.Pid}}' odd) == "running $init" ]]
  [[ $(grep TracerPid "/proc/$init/status") == *$'\t0' ]]
  still checkpoint -R -e "$WORK/archive" odd 2>"$WORK/said"
  cat "$WORK/said"
  grep -q "not certified consistent: no restore could bring it back: .*$2" "$WORK/said"
  still archive verify "$WORK/archive" >"$WORK/verdict" || true
  grep -q "NOT certified" "$WORK/verdict"
  fails_with "$2" still checkpoint -R --require-freeze -e "$WORK/other" odd
  [[ ! -e $WORK/other ]]
  rm "$WORK/archive"
  still rm --force odd >/dev/null
}

nothing_is_ended_for_ever() {
  is_not_ended_for memfd "runs a program that no file system holds"
  is_not_ended_for epoll "has the file of its descriptor 4 by one that is closed"
}
@test "a container that no restore could bring back is not ended" {
  for_each_runtime nothing_is_ended_for_ever
}

tried_and_restored() {
  start_ticker web --runtime "$RUNTIME" --network none -v data:/data
  still exec web sh -c 'echo content >/data/file; echo shared >/dev/shm/file'
  still checkpoint -R --verify-restore -e "$WORK/archive" web
  no_trial_left
  alive web
  still archive verify "$WORK/archive"
  rm "$WORK/archive"
  still checkpoint --verify-restore web
  no_trial_left
  still restore web
  alive web
  [[ $(still exec web cat /data/file /dev/shm/file) == content$'\n'shared ]]
  still rm --force web >/dev/null
}
@test "a restore is tried beside the container, and nothing of it is left" {
  for_each_runtime tried_and_restored
}

# Nothing that examines the images sees that.
its_file_goes_away() {
  local file
  # shellcheck disable=SC2016 # for the container
  still run -d --name holder --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" sh -c '
    echo here >/held; exec 3</held; i=0
    while :; do i=$((i + 1)); echo "$i" >/tmp/count; mv /tmp/count /count; sleep 0.02; done' >/dev/null
  eventually container_counts holder
  file=$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' holder)/upper/held
  fails_with "a restore on trial failed: " \
    at asked "rm '$file'" "$STILL_TEST_PROGRAM" checkpoint --verify-restore holder
  no_trial_left
  goes_on holder
  still rm --force --all >/dev/null
}
@test "a container whose restore fails on trial runs on" {
  for_each_runtime its_file_goes_away
}

@test "a restore that cannot be tried is said before anything is held" {
  still run -d --name tty -t --network none --rootfs "$ROOTFS" sleep inf >/dev/null
  fails_with "it has a terminal" still checkpoint --verify-restore tty
  still run -d --name host --network host --rootfs "$ROOTFS" sleep inf >/dev/null
  fails_with "the host's network" still checkpoint --verify-restore host
  [[ $(still ps --format '{{.State}}' | sort -u) == running ]]
}
