#!/usr/bin/env bats
# cgroups: v2
# What the capture of files relies on is needed: with one guarantee switched off, in the program that
# is made for that, the adversary finds the fault.

bats_require_minimum_version 1.5.0

load helpers
load workload

# Checkpoints until a fault must have been found.
: "${STILL_TEST_MOST_ROUNDS:=20}"

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }

teardown() { finish_store; }

# finds_a_fault WITHOUT: with this variable set, until a copy says so.
finds_a_fault() {
  local round code
  for ((round = 1; round <= STILL_TEST_MOST_ROUNDS; ++round)); do
    export "$1=1"
    adversary_round "${STILL_TEST_PROGRAM:?}"
    unset "$1"
    code=$(timeout 120 still wait copy)
    if [[ $code == 3 ]]; then
      note "$1, checkpoint $round: $(findings copy | grep -m1 INCONSISTENT)"
      return 0
    fi
    [[ $code == 0 ]]
    remove_copy copy
  done
  echo "$1, and $STILL_TEST_MOST_ROUNDS checkpoints looked consistent"
  return 1
}

@test "with the write-back switched off the adversary finds the fault" {
  start_adversary "$(any_runtime)" --lanes mmap
  finds_a_fault STILL_TEST_NO_WRITE_BACK
}

# Since Linux 6.13 ext4, XFS and btrfs give a change after a look at the time of change a new time,
# so that no change is hidden in one tick of the clock. Mounted as ext3 it does not.
@test "with the detection of racy files switched off the adversary finds the fault" {
  require "ext3" knows_filesystem ext3
  store_on ext3
  start_adversary "$(any_runtime)" --lanes rewrite,truncate,holes --files 256 --pause 2000
  finds_a_fault STILL_TEST_NO_RACY
}
