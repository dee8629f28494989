#!/usr/bin/env bats
# Live checkpoints while something around them fails: disks, the runtime, the clock, the database,
# a task that cannot be frozen.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload
load fault_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  begin_store
  export BEFORE
  start_busy "$(any_runtime)"
}

teardown_file() {
  still stop --time 60 busy >/dev/null
  container_ends_with 0 busy
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults around live checkpoints"
  finish_store
}

end_silent_fs() {
  pkill -KILL -f "$STILL_SILENT_FS $WORK/silent" || return 0
  umount --lazy "$WORK/silent" 2>/dev/null || true
}

teardown() {
  echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"
  end_silent_fs
  # Of a test that failed.
  still rm --force odd stuck >/dev/null 2>&1 || true
  rm -f "$WORK/archive"
  [[ ! -e $WORK/small.disk ]] || {
    umount --lazy "$SMALL"
    rm -f "$WORK/small.disk"
  }
}

# fails TEXT [COMMAND...]: the checkpoint fails with one line that has the text, and busy is
# unharmed.
fails() {
  local text=$1
  shift
  fails_with "$text" "$@"
  after_fault
  [[ -z $said ]]
}

# --- disks ------------------------------------------------------------------------------------------

# small_disk DIRECTORY: a file system of its own there, in $SMALL.
small_disk() {
  SMALL=$1
  mkdir -p "$SMALL"
  truncate -s 64M "$WORK/small.disk"
  mkfs.ext4 -q "$WORK/small.disk"
  mount -o loop "$WORK/small.disk" "$SMALL"
  export SMALL
}

export FILL='dd if=/dev/zero of="$SMALL/filler" bs=1M 2>/dev/null; dd if=/dev/zero of="$SMALL/filler2" bs=512 2>/dev/null; true'
export BREAK='xfs_io -x -c shutdown "$SMALL"' # every write fails from here on
export SEAL='mount -o remount,ro "$SMALL"'

staging_breaks() {
  small_disk "$STILL_ROOT/staging"
  run at "$1" "$2" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" busy
  echo "$output"
  [[ $status -eq 125 && $output == *"$3"* && ! -e $WORK/archive ]]
  umount --lazy "$SMALL" # what is on it is out of reach, or goes with it
  rm "$WORK/small.disk"
  after_fault
}

target_breaks() {
  small_disk "$WORK/target"
  run at "$1" "$2" "$STILL_TEST_PROGRAM" checkpoint -R -c none -e "$WORK/target/archive" busy
  echo "$output"
  [[ $status -eq 125 && $output == *"cannot write $WORK/target/archive"*"$3"* ]]
  [[ $output != *".still-"* && ! -e $SMALL/archive ]]
  umount --lazy "$SMALL"
  rm "$WORK/small.disk"
  after_fault
}

for step in staged prepared frozen; do
  bats_test_function --description "no space left for the staging: $step" -- staging_breaks "$step" "$FILL" ""
  bats_test_function --description "the staging's disk breaks: $step" -- staging_breaks "$step" "$BREAK" ""
done
bats_test_function --description "no space left at the target" -- target_breaks writing "$FILL" "No space left"
bats_test_function --description "the target's disk breaks while it is written" -- target_breaks writing "$BREAK" ""
bats_test_function --description "the target's disk breaks before it is synced" -- target_breaks complete "$BREAK" ""

@test "the target becomes read-only before the checkpoint" {
  small_disk "$WORK/target"
  fails "Read-only file system" at "in the journal" "$SEAL" \
    "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/target/archive" busy
}

# --- the way to the target --------------------------------------------------------------------------

# The target is archive in "target", which has another file, too.
export MOVE='mv "$WORK/way/target" "$WORK/way/moved"'
export REPLACE="$MOVE"'; mkdir "$WORK/way/target"'
export LEAD_AWAY="$MOVE"'; ln -s other "$WORK/way/target"'
export LINK='ln -s ../other/archive "$WORK/way/target/archive"'
export MOVE_AND_KILL="$MOVE; $KILL_STILL"

# target_changes STATUS STEP COMMAND TEXT [FLAG...]: nothing is left, in no place, and nothing was changed anywhere.
target_changes() {
  local expected=$1 text=$4 left
  rm -rf "$WORK/way"
  mkdir --parents "$WORK"/way/{target,other}
  echo old | tee "$WORK/way/target/old" "$WORK/way/other/archive" >/dev/null
  run at "$2" "$3" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/way/target/archive" "${@:5}" busy
  echo "$output"
  [[ $status -eq $expected && $output == *"$text"* ]]
  left=$(cd "$WORK/way" && find . -type f ! -name old ! -path ./other/archive)
  [[ -z $left ]] || { echo "left: $left"; return 1; }
  [[ -n $(find "$WORK/way" -name old) ]]
  [[ $(cat "$WORK/way/other/archive") == old ]]
  after_fault
}

for step in prepared writing complete; do
  bats_test_function --description "the target's directory is renamed: $step" -- \
    target_changes 125 "$step" "$MOVE" "was renamed, replaced or removed"
  bats_test_function --description "the target's directory is replaced: $step" -- \
    target_changes 125 "$step" "$REPLACE" "was renamed, replaced or removed"
  bats_test_function --description "a link takes the place of the target's directory: $step" -- \
    target_changes 125 "$step" "$LEAD_AWAY" "was renamed, replaced or removed"
  bats_test_function --description "a link takes the name of the target: $step" -- \
    target_changes 125 "$step" "$LINK" "target/archive exists and is not a regular file"
  bats_test_function --description "the target's directory is renamed, and still killed: $step" -- \
    target_changes 137 "$step" "$MOVE_AND_KILL" ""
done

@test "the target's directory is renamed: encrypted" {
  local key
  key=$(age-keygen 2>/dev/null)
  target_changes 125 encrypted "$MOVE" "was renamed" --encrypt-to "$(age-keygen -y <<<"$key")"
}

# --- disks again ------------------------------------------------------------------------------------

# strace makes calls fail that no disk here would let fail just then. CRIU is not its child: the
# filter is only for still's own calls on the archive.
fsync_fails() {
  run strace --quiet=all --follow-forks --trace=fsync --inject="fsync:error=EIO:when=$1" -o /dev/null \
    still checkpoint -R -c none -e "$WORK/archive" busy
  echo "$output"
  [[ $status -eq 125 && $output == *"Input/output error"* ]]
  after_fault
}
bats_test_function --description "the archive cannot be synced" -- fsync_fails 1+

# --- the runtime ------------------------------------------------------------------------------------

# runtime_that SCRIPT [COMMAND]: a container "odd" whose runtime does this at a checkpoint, or at this command; the
# script has the real one in $REAL.
runtime_that() {
  REAL=$(command -v "$(any_runtime)")
  mkdir -p "$WORK/odd"
  cat >"$WORK/odd/$(any_runtime)" <<SCRIPT
#!/bin/bash
REAL=$REAL
case " \$* " in *" ${2:-checkpoint} "*) $1 ;; esac
exec "\$REAL" "\$@"
SCRIPT
  chmod +x "$WORK/odd/$(any_runtime)"
  still run -d --name odd --runtime "$WORK/odd/$(any_runtime)" --rootfs "$ROOTFS" \
    /bin/counter --report 50 --volume /tmp/volume >/dev/null
  eventually steps_beyond odd 0
}

odd_fails() {
  local text=$1
  shift
  fails_with "$text" still checkpoint -R -e "$WORK/archive" "$@" odd
  answers odd
  still exec odd true
  still stop --time 60 odd >/dev/null
  container_ends_with 0 odd
  still rm odd >/dev/null
  eventually clean
  [[ ! -e $WORK/archive ]]
}

@test "a runtime that hangs" {
  runtime_that 'sleep 60'
  odd_fails "did nothing for 1.00 s" --runtime-timeout 1s
}

@test "a runtime that hangs and cannot be terminated" {
  runtime_that 'trap "" TERM INT HUP; while :; do sleep 1; done'
  odd_fails "did nothing for 1.00 s" --runtime-timeout 1s
}

@test "a runtime that says that all is well and has done nothing" {
  runtime_that 'exit 0'
  odd_fails "ended before the container was frozen, and says that all is well"
  runtime_that 'exit 0'
  still pause odd >/dev/null
  fails_with "no complete images" still checkpoint -R -e "$WORK/archive" odd
  still unpause odd >/dev/null
}

@test "a runtime whose CRIU does not wait for the freeze" {
  runtime_that 'unset LD_PRELOAD'
  odd_fails "ended before the container was frozen, and says that all is well"
}

@test "a runtime that returns garbage" {
  runtime_that 'head -c 100000 /dev/urandom >&2; printf "\n\n\033[31mno\033[0m\n" >&2; exit 7'
  odd_fails "exit code 7"
}

@test "a runtime that leaves half of the images" {
  runtime_that '"$REAL" "$@"; for argument; do [[ $argument != --image-path=* ]] || rm "${argument#*=}/inventory.img"; done; exit 0'
  odd_fails "no complete images"
}

@test "a runtime that thaws the container behind our back" {
  runtime_that '"$REAL" "$@" || exit; for f in $(find /sys/fs/cgroup -path "*/still/*/cgroup.freeze" -o -path "*/still/*/freezer.state" 2>/dev/null); do
    [[ $f == *.state ]] && echo THAWED >"$f" || echo 0 >"$f"; done; exit 0'
  odd_fails "was thawed while it was being captured"
}

@test "a runtime that is slower than --max-pause allows" {
  runtime_that '"$REAL" "$@"; sleep 1; exit 0'
  odd_fails "stood still for" --max-pause 500ms
}

@test "a CRIU that gives up a restore and does not end" {
  runtime_that 'for argument; do [[ $argument != --work-path=* ]] ||
    echo "(00.1) Error (criu/cr-restore.c:1): Killing processes because of failure on restore." >"${argument#*=}/restore.log"; done
    sleep 300; exit 1' restore
  still checkpoint odd >/dev/null
  fails_with "CRIU failed" timeout 60 still restore odd
  [[ $(state odd Status) == exited ]]
  still rm --force odd >/dev/null
  eventually clean
}

@test "a pause that is expected to be too long is refused before the freeze" {
  fails "would stand still for about" still checkpoint -R --max-pause 1ms -e "$WORK/archive" busy
}

# --- the machine ------------------------------------------------------------------------------------

@test "a task that sleeps in a file system that does not answer" {
  require "FUSE" test -e /dev/fuse
  mkdir "$WORK/silent"
  "$STILL_SILENT_FS" "$WORK/silent" 3>&-
  still run -d --name stuck --runtime "$(any_runtime)" -v "$WORK/silent:/silent" --rootfs "$ROOTFS" sh -c '
    cat /silent/answer >/dev/null & i=0; while :; do i=$((i + 1)); echo "x steps=$i"; sleep 0.02; done' >/dev/null
  eventually steps_beyond stuck 5
  run still checkpoint -R --freeze-timeout 1s -e "$WORK/archive" stuck
  echo "$output"
  if [[ $status -eq 0 ]]; then # v1 can freeze such a task, and CRIU may or may not dump it
    [[ $(cgroup_version) == v1 ]]
  else
    [[ $status -eq 125 && $(wc -l <<<"$output") -eq 1 && $output == *"cat"* || $(cgroup_version) == v1 ]]
  fi
  nobody_stands_still
  timeout 60 still exec stuck true
  answers stuck
  rm -f "$WORK/archive"
  end_silent_fs
  still rm -f stuck >/dev/null
  eventually clean
}

step_clock() { echo "python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time() + $1)'"; }

clock_jumps() {
  require "CAP_SYS_TIME" bash -c "$(step_clock 0)"
  at "$1" "$(step_clock "$2")" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" busy
  bash -c "$(step_clock "-($2)")"
  [[ $(manifest "$WORK/archive" '.pause_ns > 0 and .pause_ns < 5e9') == true ]]
  after_fault
}
for step in prepared frozen dumped; do
  bats_test_function --description "the clock jumps forward: $step" -- clock_jumps "$step" 0.2
  bats_test_function --description "the clock jumps back: $step" -- clock_jumps "$step" -0.2
done

# hold_database SECONDS: as another process that writes for so long.
hold_database() {
  python3 -c 'import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))' "$STILL_ROOT/still.db" "$1"
}

database_is_locked() {
  local pause
  export -f hold_database
  at "$1" 'bash -c "hold_database 5" 2>/dev/null | head -n 0 & sleep 0.3' \
    "$STILL_TEST_PROGRAM" checkpoint -R --print-stats -e "$WORK/archive" busy >"$WORK/stats"
  pause=$(jq '.container_statistics[0].still_statistics.pause' "$WORK/stats")
  echo "pause: $pause us"
  [[ $pause -lt 4500000 ]]
  after_fault
}
for step in "in the journal" prepared frozen cut released; do
  bats_test_function --description "another process has the database: $step" -- database_is_locked "$step"
done

# --- others who want the container ------------------------------------------------------------------

@test "while the window is open others wait for its end, or fail with --no-wait" {
  local command
  for command in "exec busy true" "pause busy" "unpause busy" "stop busy" "kill busy" "rm busy" "checkpoint -R busy"; do
    # shellcheck disable=SC2086
    set -- $command
    at dumping "still $1 --no-wait ${*:2} >$WORK/said 2>&1; echo \$? >>$WORK/said" \
      "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" busy
    cat "$WORK/said"
    [[ $(cat "$WORK/said") == *"is in use by process"*125 ]]
    after_fault
  done
}

@test "who waits is told after a second, and comes in when the window is closed" {
  at frozen "still exec busy cat /proc/self/comm >$WORK/said 2>&1 & for i in \$(seq 400); do [ ! -s $WORK/said ] || break; sleep 0.05; done
    cat $WORK/said >$WORK/said-inside" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" busy
  eventually grep -qx cat "$WORK/said"
  od -c "$WORK/said-inside"
  [[ $(cat "$WORK/said-inside") == *"is in use by process"*"waiting for it"* ]]
  after_fault
}
