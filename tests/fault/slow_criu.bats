#!/usr/bin/env bats
# --max-pause, while CRIU is slow, stopped, or waits for somebody: the container is let go in time, and
# CRIU is not killed while it changes tasks.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }
teardown() {
  [[ ! -e $WORK/listener ]] || kill -KILL "$(cat "$WORK/listener")" || true
  finish_store
}

gaps() { still logs "$1" | grep -c gap_us || true; }
has_more_gaps() { [[ $(gaps "$1") -gt $2 ]]; }

# largest_gap NAME: in milliseconds, since it was asked the last time.
largest_gap() {
  local before
  before=$(gaps "$1")
  still kill --signal USR1 "$1" >/dev/null
  eventually has_more_gaps "$1" "$before"
  still logs "$1" | sed -n 's/^gap_us=\([0-9]*\)...$/\1/p' | tail -n 1
}

# is_let_go WAY WHAT PROGRAM: the checkpoint of "probe" is given up for --max-pause, which is half a second,
# and no clock in it stood still for more than two: the machine has other work.
is_let_go() {
  local way=$1 what=$2 program=$3 gap
  largest_gap probe >/dev/null
  fails_with "the checkpoint is discarded" timeout 60 "$program" checkpoint -R --memory-cut="$way" \
    --max-pause 500ms --compress none -e "$WORK/archive" probe
  gap=$(largest_gap probe)
  note "$RUNTIME, $way, $what: $gap ms"
  [[ $gap -lt 2000 && $(state probe Status) == running && ! -e $WORK/archive ]]
}

start_probe() {
  still run -d --name probe --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" \
    /bin/pause_probe --memory 32 --processes 4 --threads 3 >/dev/null
  eventually says probe ready
}

every_stage() {
  local way at
  start_probe
  for way in $(memory_ways); do
    for at in "seize 100" "image 50" "seize stop" "inject stop" "image stop" "detach stop"; do
      LD_PRELOAD=$STILL_SLOW_CRIU STILL_TEST_CRIU_AT=${at% *} STILL_TEST_CRIU_DO=${at#* } \
        is_let_go "$way" "$at" still
    done
    # It is none the worse for it.
    still checkpoint -R --memory-cut="$way" --compress none -e "$WORK/archive" probe >/dev/null
    rm "$WORK/archive"
  done
  still kill --signal TERM probe >/dev/null
  container_ends_with 0 probe
}
@test "CRIU that is slow or stopped lets the container go in time" {
  for_each_runtime every_stage
}

# Somebody on the host who has to permit that files are opened, and does not answer.
export LISTEN='"$STILL_WORKLOAD_DIR/odd" permission "$FILE" >"$WORK/said" 2>&1 & echo $! >"$WORK/listener"
  for i in $(seq 200); do grep -qs ready "$WORK/said" && break; sleep 0.02; done'

waits_for_a_permission() {
  local way
  start_probe
  FILE=/proc/$(state probe Pid)/root/bin/pause_probe
  export FILE
  for way in $(memory_ways); do
    at frozen "$LISTEN" is_let_go "$way" "waits for a permission" "$STILL_TEST_PROGRAM"
    kill -KILL "$(cat "$WORK/listener")" # it has the blocked signals of the program
    rm "$WORK/listener" "$WORK/said"
  done
  still checkpoint -R -e "$WORK/archive" probe >/dev/null
  rm "$WORK/archive"
}
@test "CRIU that waits for somebody outside lets the container go in time" {
  for_each_runtime waits_for_a_permission
}
