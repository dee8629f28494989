#!/usr/bin/env bats
# Restores with one fault each: nothing is left of a restore that fails or is killed, and a second
# try succeeds.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload
load ../system/checkpoint_support
load fault_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  begin_store
  export BEFORE
  start_busy "$(any_runtime)"
  live_checkpoint busy "$WORK/kept" -c none
  still rm -f busy >/dev/null
  still volume rm data >/dev/null
}

teardown_file() {
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in restores"
  finish_store
}

teardown() { echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"; }

import_with_fault() { at "$1" "$2" "$STILL_TEST_PROGRAM" restore --import "$WORK/kept" --rootfs "$ROOTFS"; }

# The second try: it runs, consistent, and goes.
succeeds() {
  eventually clean
  nothing_made
  [[ -z $(conmons) ]]
  still restore --import "$WORK/kept" --rootfs "$ROOTFS" >/dev/null
  answers busy
  still stop --time 10 busy >/dev/null
  container_ends_with 0 busy
  still rm busy >/dev/null
  still volume rm data >/dev/null
}

conmons() { pgrep -x conmon || true; }

killed() {
  ends_with 137 import_with_fault "$1" "$2"
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  [[ $said == *"a restore of "*" was interrupted"* ]]
  succeeds
}

killed_after() {
  run import_with_fault filled "(sleep $1; kill -KILL \$PPID) >/dev/null 2>&1 & exec sleep 0.01"
  echo "$output"
  # Where it came too late the container runs.
  [[ $status -eq 137 ]] || { [[ $status -eq 0 ]] && answers busy && still rm -f busy && still volume rm data; }
  succeeds
}

terminated() {
  run import_with_fault "$1" "$TERMINATE_STILL"
  echo "$output"
  [[ $status -eq 143 && $output == *"interrupted by signal 15"* ]]
  [[ -z $(still ps 2>&1 >/dev/null) ]]
  succeeds
}

criu_killed() {
  run import_with_fault filled "(sleep $1; pkill -KILL -x 'criu|crun|runc') >/dev/null 2>&1 &"
  echo "$output"
  # Where it came too late the container runs.
  [[ $status -eq 125 ]] || { [[ $status -eq 0 ]] && still rm -f busy && still volume rm data; }
  succeeds
}

# What was there before is there again: exited, with its checkpoint.
in_place_killed() {
  local how=$1 step=$2 command=$3
  start_busy "$(any_runtime)"
  still checkpoint $how busy >/dev/null
  [[ -z $how ]] || still kill busy >/dev/null
  wait_until 5 has_state busy exited
  run at "$step" "$command" "$STILL_TEST_PROGRAM" restore busy
  echo "$output"
  [[ $status -eq 137 ]]
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  eventually clean
  if [[ $step == succeeded ]]; then
    [[ $(state busy Status) == running ]]
  else
    [[ $said == *"a restore of busy was interrupted"* && $(state busy Status) == exited && -z $(conmons) ]]
    still restore busy >/dev/null
  fi
  answers busy
  still stop --time 10 busy >/dev/null
  container_ends_with 0 busy
  still rm busy >/dev/null
  still volume rm data >/dev/null
}

# A runc that is killed then leaves the container's root file system mounted in its own state.
killed_in_place_after() {
  still run -d --name busy --runtime runc -v data:/data --rootfs "$ROOTFS" /bin/counter --report 50 >/dev/null
  wait_until 20 steps_beyond busy 0
  still exec busy sh -c 'echo content >/etc/kept'
  still checkpoint busy >/dev/null
  run at filled "(sleep $1; kill -KILL \$PPID) >/dev/null 2>&1 & exec sleep 0.01" "$STILL_TEST_PROGRAM" restore busy
  echo "$output"
  still ps >/dev/null
  eventually clean
  [[ $status -ne 137 || $(state busy Status) == running ]] || still restore busy >/dev/null
  answers busy
  [[ $(still exec busy cat /etc/kept) == content && $(still exec busy ls /bin | wc -l) -gt 10 ]]
  still stop --time 10 busy >/dev/null
  container_ends_with 0 busy
  still rm busy >/dev/null
  still volume rm data >/dev/null
}

for step in unpacked "volumes filled" "container made" filled restored; do
  bats_test_function --description "still is killed: $step" -- killed "$step" "$KILL_STILL"
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for after in 0.02 0.1 0.2; do
  bats_test_function --description "still is killed: restoring for $after s" \
    -- killed_after "$after"
  bats_test_function --description "CRIU and the runtime are killed: restoring for $after s" -- criu_killed "$after"
done
for step in filled restored succeeded; do
  bats_test_function --description "still is killed in place: $step" -- in_place_killed "" "$step" "$KILL_STILL"
  bats_test_function --description "still is killed in place, live: $step" -- in_place_killed -R "$step" "$KILL_STILL"
done
for after in 0 0.03 0.06 0.09 0.12; do
  bats_test_function --description "still is killed in place with runc: restoring for $after s" -- killed_in_place_after "$after"
done
