#!/usr/bin/env bats
# cgroups: v2
# What CRIU fails at is told in words, with what to do, by whatever way memory was cut, and the container runs on.

bats_require_minimum_version 1.5.0

load usual

# start_hard PROGRAM [ARGUMENT...]
start_hard() {
  still run -d --name hard --runtime "$RUNTIME" --network none --cap-add SYS_ADMIN --cap-add NET_ADMIN \
    --security-opt seccomp=unconfined --rootfs "$ROOTFS" "$@" >/dev/null
  eventually says hard ready
}

# is_told TEXT HINT: of container hard.
is_told() {
  local way
  # Forks are tried first by the last one; CRIU as it is would fail, too.
  for way in $(memory_ways) "auto --memory-headroom=0"; do
    # shellcheck disable=SC2086 # two words
    fails_with "CRIU failed: $1" still checkpoint -R --memory-cut=$way -e "$WORK/archive" hard
    grep -q "$2.*CRIU's log is " "$WORK"/err.*
    rm "$WORK"/err.*
  done
  [[ $(state hard Status) == running && ! -e $WORK/archive ]]
  still rm --force hard >/dev/null
}

files_and_mounts() {
  start_hard sh -c 'mount -t tmpfs none /tmp; exec 3>/tmp/file; umount -l /tmp; echo ready; sleep 1000'
  is_told "/file (descriptor 3) is open on a mount that the container does not have" "end it first"
  start_hard sh -c '/bin/holder lock /lockfile & sleep 0.5; echo ready; wait'
  is_told "a file lock is held" "add --file-locks"
}
@test "files and mounts" {
  for_each_runtime files_and_mounts
}

sockets() {
  start_hard sh -c 'ifconfig lo up; exec /bin/odd have corked'
  is_told "a UDP socket holds back what was written to it" "try again"
  start_hard /bin/odd have netlink
  is_told "a netlink socket has messages that nobody has read" "try again"
  start_hard /bin/odd have unaccepted
  is_told "a client has written to a unix socket that is not accepted yet" "try again"
}
@test "sockets" {
  for_each_runtime sockets
}

namespaces() {
  start_hard unshare -U sh -c 'echo ready; exec sleep 1000'
  is_told "a process has a user namespace of its own" "end it first"
}
@test "namespaces" {
  for_each_runtime namespaces
}

# A checkpoint whose program is another one where it is restored.
changed_program() {
  local base=$BATS_TEST_TMPDIR/base-$RUNTIME
  make_rootfs busybox "$base"
  still run -d --name changing --runtime "$RUNTIME" --network none --rootfs "$base" sh -c 'echo ready; while :; do sleep 1; done' >/dev/null
  eventually says changing ready
  still checkpoint -e "$WORK/archive" changing
  still rm changing >/dev/null
  printf more >>"$base/bin/busybox"
  fails_with "bin/busybox has changed" still restore -i "$WORK/archive" --name changed --rootfs "$base"
  rm "$WORK/archive"
}

# The original still listens where its copy wants to.
port_in_use() {
  still run -d --name listening --runtime "$RUNTIME" --network host --rootfs "$ROOTFS" /bin/holder echo 7099 >/dev/null
  eventually sh -c 'grep -q :1BBB /proc/net/tcp'
  still checkpoint -R -e "$WORK/archive" listening
  fails_with "a port of the container is in use here" still restore -i "$WORK/archive" --name second --network host --rootfs "$ROOTFS"
  rm "$WORK/archive"
  still rm --force listening >/dev/null
}

restores() {
  changed_program
  port_in_use
}
@test "restores" {
  for_each_runtime restores
}
