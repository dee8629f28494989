#!/usr/bin/env bats
# Live checkpoints of the adversary (tests/workload/README.md), a program that changes its files in
# the ways in which copying while it runs could miss a change, and that finds out if one did.
#
# Many rounds in one command:
#   STILL_TEST_ROUNDS=1000 ./dev exec bats tests/system/adversaries.bats
#   STILL_TEST_ROUNDS=1000 ./dev exec --cgroup-v1 env STILL_TEST_CGROUP=v1 bats tests/system/adversaries.bats
# STILL_TEST_MEMORY_CUT=protect has all of them cut in that way, else it is each way in turn.
# STILL_TEST_RUNTIMES=crun limits them to one runtime.

bats_require_minimum_version 1.5.0

load helpers
load workload

# Checkpoints for each runtime.
: "${STILL_TEST_ROUNDS:=8}"

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  leave_adversary "$ROOTFS"
}

setup() { begin_store; }

teardown() { finish_store; }

all_consistent() {
  local runtime=$1 round
  start_adversary "$runtime"
  for ((round = 1; round <= STILL_TEST_ROUNDS; ++round)); do
    adversary_round still --memory-cut "$(memory_way "$round")"
    container_ends_with 0 copy || {
      echo "round $round: $(findings copy)"
      return 1
    }
    remove_copy copy
    is_running adversary
    ((round % 100)) || note "$runtime: $round rounds so far"
  done
  still stop --time 60 adversary
  container_ends_with 0 adversary
  note "$runtime: $STILL_TEST_ROUNDS live checkpoints under attack, all consistent"
}

for runtime in ${STILL_TEST_RUNTIMES:-$([[ ${STILL_TEST_CGROUP:-v2} == v1 ]] || echo crun) runc}; do
  bats_test_function --description "every live checkpoint of the adversary with $runtime is consistent" \
    -- all_consistent "$runtime"
done
