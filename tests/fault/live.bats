#!/usr/bin/env bats
# Live checkpoints of a busy container with one fault each, at every step.

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
  still stop --time 10 busy >/dev/null
  container_ends_with 0 busy # its own verdict on all that it went through
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in live checkpoints"
  finish_store
}

teardown() { echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"; }

checkpoint_with_fault() {
  at "$1" "$2" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" busy
}

# Steps in their order. Until the thaw there is a guardian, and from "frozen" to "cut" the container
# stands still.
all_steps=("in the journal" guarded staged prepared frozen dumping dumped cut thawed released writing complete written)
guarded_steps=(guarded staged prepared frozen dumping dumped cut thawed)

killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_STILL"
  after_fault
  [[ $said == *"a checkpoint of busy was interrupted"* ]]
}

terminated() {
  run checkpoint_with_fault "$1" "$TERMINATE_STILL"
  echo "$output"
  if [[ $1 == written ]]; then # too late: it exists
    [[ $status -eq 143 && -e $WORK/archive ]]
  else
    [[ $status -eq 143 && $output == *"interrupted by signal 15"* && ! -e $WORK/archive ]]
  fi
  after_fault
  [[ -z $said ]]
}

# The guardian is only for the case that still dies: without it the checkpoint goes on.
without_guardian() {
  checkpoint_with_fault "$1" "$2"
  [[ -e $WORK/archive ]]
  after_fault
  [[ -z $said ]]
}

both_killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_BOTH"
  after_fault
  [[ $said == *"a checkpoint of busy was interrupted"* || $1 == thawed ]]
}

runtime_killed() {
  run checkpoint_with_fault "$1" "$2"
  echo "$output"
  [[ $status -eq 125 && $output == *checkpoint\ failed* || $output == *CRIU\ failed* ]]
  after_fault
  [[ -z $said ]]
}

for step in "${all_steps[@]}"; do
  bats_test_function --description "still is killed: $step" -- killed "$step"
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for step in "${guarded_steps[@]}"; do
  bats_test_function --description "the guardian is killed: $step" -- without_guardian "$step" "$KILL_GUARDIAN"
  bats_test_function --description "still and the guardian are killed: $step" -- both_killed "$step"
done
bats_test_function --description "the guardian is terminated: frozen" -- without_guardian frozen "$TERMINATE_GUARDIAN"
for step in frozen dumping; do
  bats_test_function --description "the runtime is killed: $step" -- runtime_killed "$step" "$KILL_RUNTIME"
  bats_test_function --description "the runtime is terminated: $step" -- runtime_killed "$step" "$TERMINATE_RUNTIME"
done
