#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of a container of Podman's with one fault each, at every step: it goes on, and Podman notices
# nothing.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload
load ../system/podman_containers
load fault_support

setup_file() {
  export ENGINE_CGROUPS='*/libpod_parent/*'
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  use_podman "$ROOTFS"
  begin_podman
  begin_store
  export BEFORE
  RUNTIME=runc start_counter busy
}

teardown_file() {
  verdict busy # on all that it went through
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in live checkpoints of Podman's"
  finish_podman
  leave_podman
  finish_store
}

setup() { state_of_podman busy >"$BATS_TEST_TMPDIR/before"; }
teardown() { echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"; }

checkpoint_with_fault() {
  at "$1" "$2" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" "--memory-cut=${WAY:-stock}" busy
}

by_fork() { WAY=fork "$@"; }

# What must hold after each.
podman_notices_nothing() {
  goes_on busy
  podman exec busy true
  diff "$BATS_TEST_TMPDIR/before" <(state_of_podman busy)
  run ! compgen -G "$STILL_ROOT/run/containers/*"
  eventually clean
  [[ ! -e $WORK/archive ]] || still archive verify "$WORK/archive"
  rm -f "$WORK/archive"
}

killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_STILL"
  nobody_stands_still
  is "" still ps --quiet
  podman_notices_nothing
}

terminated() {
  run checkpoint_with_fault "$1" "$TERMINATE_STILL"
  echo "$output"
  [[ $status -eq 143 ]]
  nobody_stands_still
  podman_notices_nothing
}

both_killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_BOTH"
  eventually no_runtime
  is "" still ps --quiet # thaws it
  nobody_stands_still
  podman_notices_nothing
}

for step in "in the journal" guarded staged prepared ready frozen dumping dumped cut thawed released complete written; do
  bats_test_function --description "still is killed: $step" -- killed "$step"
done
for step in held forked copied; do
  bats_test_function --description "still is killed, by fork: $step" -- by_fork killed "$step"
done
for step in guarded frozen dumping thawed complete; do
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for step in frozen dumped cut; do
  bats_test_function --description "still and the guardian are killed: $step" -- both_killed "$step"
done
