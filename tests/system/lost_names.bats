#!/usr/bin/env bats
# cgroups: v2
# Files that are open or mapped under a name that they have lost, while they have others: every POSIX
# semaphore is one. CRIU would give them one more name.

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  mkdir "$ROOTFS/files"
  head -c 50000 /dev/urandom >"$ROOTFS/files/removed"
  cp "$ROOTFS/bin/names" "$ROOTFS/bin/doomed"
}

setup() { begin_store; }
teardown() { finish_store; }

# What is in the directories, with times of change; a file that has one of CRIU's names is the container's own.
listing() { still exec "$1" sh -c 'cd / && stat -c "%n %h %Y %Z" files files/* data data/* dev/shm dev/shm/* scratch scratch/*'; }

# begin_names NAME [PROGRAM [ARGUMENT...]]
begin_names() {
  local name=$1
  shift
  [[ $# -gt 0 ]] || set -- /bin/names
  still run -d --name "$name" --runtime "$RUNTIME" --network none -v data:/data --tmpfs /scratch --rootfs "$ROOTFS" \
    sh -c 'echo own >/files/link_remap.1; echo own >/dev/shm/link_remap.1; echo own >/data/link_remap.1; exec "$0" "$@"' \
    "$@" /files /data /dev/shm /scratch --removed /files/removed >/dev/null
  eventually says "$name" ready
}

# ends_fine NAME: all is what it was, and nothing is there that it has not made.
ends_fine() {
  local name
  for name in files data dev/shm; do
    is own still exec "$1" cat "/$name/link_remap.1"
  done
  is "$(printf '/data/link_remap.1\n/dev/shm/link_remap.1\n/files/link_remap.1')" leftovers "$1"
  still stop --time 20 "$1" >/dev/null
  still logs "$1" | tail -n 20
  container_ends_with 0 "$1"
}
leftovers() { still exec "$1" sh -c 'find /[!ps]* /scratch -name "*remap*" -o -name "*.cr*" | sort'; }

lost_names_come_back() {
  local way
  begin_names one
  listing one >"$WORK/before"
  for way in $(memory_ways); do
    live_checkpoint one "$WORK/archive" --memory-cut="$way" --compress none
    listing one | diff "$WORK/before" -
    restore_copy "$WORK/archive" copy data
    ends_fine copy
    remove_copy copy
    rm "$WORK/archive"
  done
  # One in the store, to which the container goes back.
  still checkpoint -R one >/dev/null
  still kill --signal KILL one >/dev/null
  eventually has_state one exited
  still restore one >/dev/null
  still checkpoint one >/dev/null
  still restore one >/dev/null
  still checkpoint --export "$WORK/archive" one >/dev/null
  still restore one >/dev/null
  ends_fine one
  still rm one >/dev/null
  still volume rm data >/dev/null
  still container restore --import "$WORK/archive" --name copy --rootfs "$ROOTFS" >/dev/null
  ends_fine copy
  still rm copy >/dev/null
  still volume rm data >/dev/null
  rm "$WORK/archive"
}
@test "files under names that they have lost, in original and copy" {
  for_each_runtime lost_names_come_back
}

program_is_removed() {
  begin_names one /bin/doomed --removed /bin/doomed
  live_checkpoint one "$WORK/archive" --compress none
  restore_copy "$WORK/archive" copy data
  ends_fine copy
  remove_copy copy
  ends_fine one
  rm "$WORK/archive"
}
@test "a program that was removed from the image while it runs" {
  for_each_runtime program_is_removed
}

@test "a file whose other names are not to be seen in the container is refused in words" {
  mkdir "$WORK/host"
  still run -d --name one --network none -v "$WORK/host:/host" --rootfs "$ROOTFS" \
    sh -c 'exec 3>/host/first; echo ready; while :; do sleep 1; done' >/dev/null
  eventually says one ready
  ln "$WORK/host/first" "$WORK/elsewhere"
  rm "$WORK/host/first"
  fails_with "has lost its name while it is open" still checkpoint -R -e "$WORK/archive" one
  fails_with "has lost its name while it is open" still checkpoint one
  [[ $(state one Status) == running ]]
}
