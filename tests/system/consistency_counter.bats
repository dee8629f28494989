#!/usr/bin/env bats
# cgroups: v2
# The counter sees what it is made to see: its files are changed under it, without any container.

bats_require_minimum_version 1.5.0

setup() {
  load helpers
  load workload
  directory=$BATS_TEST_TMPDIR
  arguments=(--root "$directory/root" --volume "$directory/volume" --shm "/dev/shm/counter.$$"
    --report 50 --output "$directory/log")
}

teardown() {
  [[ -z ${counter:-} ]] || kill -KILL "$counter" 2>/dev/null || true
  rm -rf "/dev/shm/counter.$$"
}

start() {
  "$STILL_WORKLOAD_DIR/counter" "${arguments[@]}" "$@" 3>&- &
  counter=$!
  eventually grep -q steps= "$directory/log"
}

# ends CODE: the counter ends by itself with this code.
ends() {
  local code=0
  wait "$counter" || code=$?
  cat "$directory/log"
  [[ $code -eq $1 ]]
}

verify() { "$STILL_WORKLOAD_DIR/counter" "${arguments[@]}" --verify; }

@test "undisturbed it counts, ends when asked, and its files verify" {
  start
  kill -TERM "$counter"
  ends 0
  verify
}

@test "killed, its files still verify" {
  start
  kill -KILL "$counter"
  ends 137
  eventually verify
}

@test "an older file is seen" {
  start --patterns in-place
  cp "$directory/volume/leader0.written" "$directory/old"
  sleep 0.1
  dd if="$directory/old" of="$directory/volume/leader0.written" conv=notrunc status=none
  ends 3
  grep 'INCONSISTENT: lane leader0: .*volume/leader0.written holds' "$directory/log"
}

@test "a newer file is seen" {
  start --patterns in-place
  printf '\377\377\377\377\377\377\377\017%.0s' {1..8} |
    dd of="$directory/root/follower1.written" conv=notrunc status=none
  ends 3
  grep 'INCONSISTENT: lane follower1: .* ahead of it' "$directory/log"
}

# Of one page alone the counter may be just about to write the next step.
@test "two older pages of a mapped file are seen" {
  start --patterns in-place
  dd if=/dev/zero of="$directory/volume/follower0.mapped" bs=4096 count=2 seek=3 conv=notrunc status=none
  ends 3
  grep 'INCONSISTENT: lane follower0: .*volume/follower0.mapped (map)' "$directory/log"
}

@test "a file in /dev/shm that changed is seen" {
  start --patterns in-place
  dd if=/dev/zero of="/dev/shm/counter.$$/leader2.mapped" bs=32768 count=1 conv=notrunc status=none
  ends 3
}

@test "a file that is longer is seen" {
  start --patterns append
  printf '\0\0\0\0\0\0\0\0' >>"$directory/volume/leader0.appended"
  ends 3
}

@test "a file that is gone is seen" {
  start --patterns replace
  rm "$directory/root/follower2.replaced."{0,1}
  ends 3
  grep 'is gone' "$directory/log"
}

@test "one process that stopped is no inconsistency" {
  start
  local follower
  follower=$(pgrep -P "$counter")
  kill -STOP "$follower"
  sleep 0.3
  kill -CONT "$follower"
  sleep 0.1
  kill -TERM "$counter"
  ends 0
}

@test "verifying alone sees files of different instants" {
  start --patterns in-place
  kill -STOP "$counter" # the leader; the follower goes on
  cp -r "$directory/root" "$directory/earlier"
  kill -CONT "$counter"
  sleep 0.2
  kill -KILL "$counter"
  ends 137
  rm -r "$directory/root"
  mv "$directory/earlier" "$directory/root"
  run -3 verify
  [[ $output == *INCONSISTENT* ]] || [[ $(cat "$directory/log") == *INCONSISTENT* ]]
}

@test "wrong usage ends with 2" {
  run -2 "$STILL_WORKLOAD_DIR/counter" --threads none
}
