#!/usr/bin/env bats
# Default checkpoints, by which the container ends, with one fault each: whatever happens, it is
# either running and unharmed, or its checkpoint is in the store.

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
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in default checkpoints"
  finish_store
}

teardown() { echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"; }

# Afterwards busy runs: it was not touched, or comes back from its checkpoint.
runs_or_comes_back() {
  local status
  said=$(timeout 60 still ps 2>&1 >/dev/null)
  eventually settled
  eventually clean
  status=$(still inspect --format '{{.State.Status}} {{.State.Checkpointed}}' busy)
  echo "busy is $status; the next command says: $said"
  case $status in
    "running false") ;;
    "exited true") still restore busy >/dev/null ;;
    *) return 1 ;;
  esac
  answers busy
  [[ ! -e $WORK/archive ]] || tar -tf "$WORK/archive" still.json >/dev/null
  rm -f "$WORK/archive"
}

# The runtime and CRIU may go on for a while after still was killed.
settled() { [[ -z $(still ps 2>&1 >/dev/null) && -z $(journal_entries) ]]; }

killed() {
  ends_with 137 at "$1" "$KILL_STILL" "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/archive" busy
  runs_or_comes_back
}

both_killed() {
  ends_with 137 at "$1" "$KILL_BOTH" "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/archive" busy
  runs_or_comes_back
}

# What was restored on trial is gone with the next command.
killed_on_trial() {
  ends_with 137 at "$1" "$KILL_STILL" "$STILL_TEST_PROGRAM" checkpoint --verify-restore -e "$WORK/archive" busy
  runs_or_comes_back
  [[ -z $(find /sys/fs/cgroup -type d -name 'trial-*') ]]
}

# CRIU waits for the answer, and the container with it.
stopped() {
  local init checkpoint code=0
  init=$(still inspect --format '{{.State.Pid}}' busy)
  STILL_TEST_MARK=$WORK/mark STILL_TEST_AT=$1 STILL_TEST_DO='kill -STOP $PPID' \
    "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/archive" busy >"$WORK/out" 2>&1 3>&- &
  checkpoint=$!
  eventually grep -q "^State:.T" "/proc/$checkpoint/status"
  sleep 2
  [[ $(sed -n 's/^TracerPid:\t//p' "/proc/$init/status") == 0 ]]
  kill -CONT "$checkpoint"
  wait "$checkpoint" || code=$?
  cat "$WORK/out"
  [[ $code -eq 125 && ! -e $WORK/archive && $(still inspect --format '{{.State.Pid}}' busy) == "$init" ]]
  runs_or_comes_back
}
bats_test_function --description "still is stopped: asked" -- stopped asked

# It is finished first: half of it would be the end of the container.
terminated() {
  run at "$1" "$TERMINATE_STILL" "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/archive" busy
  echo "$output"
  [[ $status -eq 143 && ! -e $WORK/archive ]]
  runs_or_comes_back
}

# CRIU goes on without the runtime. Where it still ends the container, its images are kept.
runtime_killed() {
  run at dumping "sleep $1; $KILL_RUNTIME" "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/archive" busy
  echo "$output"
  [[ $output == *"killed by signal"* && ($status -eq 0 || $status -eq 125) ]]
  runs_or_comes_back
}

# What is bound to processors, and to which, is asked for while CRIU holds all processes.
@test "an affinity that changes just before CRIU holds the container" {
  local init
  require "two processors" taskset --cpu-list 1 true
  export init
  init=$(still inspect --format '{{.State.Pid}}' busy)
  taskset --cpu-list --pid 0 "$init"
  LD_PRELOAD=$STILL_SLOW_CRIU STILL_TEST_CRIU_AT=seize STILL_TEST_CRIU_DO=1000 \
    at dumping 'taskset --cpu-list --pid 1 "$init"' "$STILL_TEST_PROGRAM" checkpoint busy
  runs_or_comes_back
  init=$(still inspect --format '{{.State.Pid}}' busy)
  [[ $(taskset --cpu-list --pid "$init") == *": 1" ]]
}

# The container has ended by then: its checkpoint stays where it is safe.
target_moves() {
  mkdir "$WORK/target"
  run at "$1" 'mv "$WORK/target" "$WORK/moved"' "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/target/archive" busy
  echo "$output"
  [[ $status -eq 125 && $output == *"was renamed"* && $output == *"safe in the store"* ]]
  [[ -z $(ls -A "$WORK/moved") && ! -e $WORK/target ]]
  rmdir "$WORK/moved"
  runs_or_comes_back
}
for step in guarded writing complete; do
  bats_test_function --description "the target's directory is renamed: $step" -- target_moves "$step"
done

# Not every file system has files without a name: then there is a temporary one, which a kill leaves to the next command.
# strace: the second file that still opens there, the first being the directory itself, is the archive.
@test "a target whose file system knows no files without a name" {
  local without=(strace --quiet=all --follow-forks --trace=openat --trace-path="$WORK/target"
    --inject=openat:error=EOPNOTSUPP:when=2 --output="$WORK/trace")
  mkdir "$WORK/target"
  "${without[@]}" still checkpoint -e "$WORK/target/archive" busy
  grep -q 'O_TMPFILE.*INJECTED' "$WORK/trace"
  [[ $(ls -A "$WORK/target") == archive ]]
  runs_or_comes_back
  rm "$WORK/target/archive"
  run at complete "ls -A '$WORK/target' >'$WORK/seen'; $KILL_STILL" \
    "${without[@]}" "$STILL_TEST_PROGRAM" checkpoint -e "$WORK/target/archive" busy
  echo "$output"
  grep -q 'O_TMPFILE.*INJECTED' "$WORK/trace"
  [[ $(cat "$WORK/seen") == .still-* ]]
  runs_or_comes_back
  [[ -z $(ls -A "$WORK/target") ]]
  rmdir "$WORK/target"
  rm "$WORK/trace" "$WORK/seen"
}

for step in guarded dumping asked dumped unguarded kept writing complete; do
  bats_test_function --description "still is killed: $step" -- killed "$step"
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for step in guarded dumping asked dumped; do
  bats_test_function --description "still and the guardian are killed: $step" -- both_killed "$step"
done
for step in asked tried; do
  bats_test_function --description "still is killed while it tries the restore: $step" -- killed_on_trial "$step"
done
for after in 0 0.03 0.06; do
  bats_test_function --description "the runtime is killed: dumping for $after s" -- runtime_killed "$after"
done
