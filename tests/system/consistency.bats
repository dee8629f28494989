#!/usr/bin/env bats
# Live checkpoints of the counter (tests/workload/README.md), a program that finds out by itself
# whether its memory and its files show one instant: with the freeze all do, without it they do not.

bats_require_minimum_version 1.5.0

load helpers
load workload

# Checkpoints for each runtime.
: "${STILL_TEST_ROUNDS:=20}"

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }

teardown() { finish_store; }

start_counter() {
  local runtime=$1
  shift
  still run -d --name counter --runtime "$runtime" --network none -v data:/data --rootfs "$ROOTFS" \
    /bin/counter --report 50 "$@"
  eventually counts_on counter 0
}

# The last report, reduced to the number of steps of the slowest thread.
steps() { still logs "$1" 2>/dev/null | sed -n 's/.* slowest=\([0-9]*\) .*/\1/p' | tail -n 1; }
counts_on() { [[ $(steps "$1") -gt $2 ]]; }

# The copy runs on for a while and is ended; on its way out it checks all places once more.
ends_consistent() {
  sleep 0.3
  still stop --time 60 "$1"
  container_ends_with 0 "$1"
  [[ $(steps "$1") -gt $2 ]] || {
    echo "$1 did not count on from $2"
    return 1
  }
}

all_consistent() {
  local runtime=$1 round before
  start_counter "$runtime"
  for ((round = 1; round <= STILL_TEST_ROUNDS; ++round)); do
    before=$(steps counter)
    live_checkpoint counter "$WORK/archive" --memory-cut "$(memory_way "$round")"
    restore_copy "$WORK/archive" copy data
    ends_consistent copy "$before"
    remove_copy copy
    is_running counter
    eventually counts_on counter "$before"
  done
  ends_consistent counter "$before"
  note "$runtime: $STILL_TEST_ROUNDS live checkpoints, all consistent"
}

# With the program whose freeze can be switched off. Files that stay open and keep their size: CRIU
# itself refuses to restore most others from such a checkpoint.
a_fault_is_seen() {
  local runtime=$1 round code
  start_counter "$runtime" --patterns in-place
  for ((round = 1; round <= 10; ++round)); do
    STILL_TEST_NO_FREEZE=1 "${STILL_TEST_PROGRAM:?}" container checkpoint --leave-running \
      --export "$WORK/archive" counter
    restore_copy "$WORK/archive" copy data
    sleep 1
    still stop --time 60 copy || true
    code=$(timeout 120 still wait copy)
    if [[ $code == 3 ]]; then
      note "$runtime, no freeze, checkpoint $round: $(still logs copy 2>&1 | grep -m1 INCONSISTENT)"
      return 0
    fi
    [[ $code == 0 ]]
    remove_copy copy
  done
  echo "the freeze was off, and $round checkpoints looked consistent"
  return 1
}

for runtime in $([[ ${STILL_TEST_CGROUP:-v2} == v1 ]] || echo crun) runc; do
  bats_test_function --description "every live checkpoint with $runtime is consistent" \
    -- all_consistent "$runtime"
  bats_test_function --description "with the freeze switched off, $runtime: inconsistency is seen" \
    -- a_fault_is_seen "$runtime"
done
