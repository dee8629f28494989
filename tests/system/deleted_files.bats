#!/usr/bin/env bats
# cgroups: v2
# Big files without a name, open and mapped: they are copied before the freeze, and are in a copy as
# they were at the cut.

bats_require_minimum_version 1.5.0

load usual

ends_fine() {
  still stop --time 30 "$1" >/dev/null
  still logs "$1" | tail -n 10
  container_ends_with 0 "$1"
}

begin_deleted() {
  still run -d --name one --runtime "$RUNTIME" --network none -v data:/data --rootfs "$ROOTFS" /bin/deleted 8 / /data /dev/shm >/dev/null
  eventually says one ready
}

of_one_instant() {
  local way
  begin_deleted
  still checkpoint -R --dry-run one | grep -E "^copied +[0-9.]+MiB of deleted files that are open"
  for way in $(memory_ways) $(memory_ways); do
    live_checkpoint one "$WORK/archive" --memory-cut="$way" --compress none
    restore_copy "$WORK/archive" copy data
    ends_fine copy
    remove_copy copy
    rm "$WORK/archive"
  done
  ends_fine one
}
@test "files without a name are of the instant of the cut" {
  for_each_runtime of_one_instant
}

big_file_is_not_written() {
  still run -d --name one --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" \
    sh -c 'exec 3>/big; rm /big; dd if=/dev/urandom bs=1M count=40 >&3 2>/dev/null; echo ready; while :; do sleep 1; done' >/dev/null
  eventually says one ready
  at dumped "stat --format %s '$STILL_ROOT'/staging/*/checkpoint/ghost-file-1.img >'$WORK/size'" \
    "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" one >/dev/null
  [[ $(<"$WORK/size") -lt 1000 ]]
  [[ $(member "$WORK/archive" checkpoint/ghost-file-1.img | wc -c) -gt $((40 << 20)) ]]
  rm "$WORK/archive"
}
@test "CRIU writes none of a big one while the container stands still" {
  for_each_runtime big_file_is_not_written
}

on_another_file_system() {
  RUNTIME=$(any_runtime)
  store_on "$1"
  of_one_instant
}
@test "the same on btrfs" {
  require btrfs knows_filesystem btrfs
  on_another_file_system btrfs
}
@test "the same on XFS" {
  require XFS knows_filesystem xfs
  on_another_file_system xfs
}

@test "default checkpoints have them too" {
  RUNTIME=$(any_runtime)
  begin_deleted
  still checkpoint one >/dev/null
  still restore one >/dev/null
  ends_fine one
}
