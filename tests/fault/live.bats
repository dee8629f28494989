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
  still stop --time 60 busy >/dev/null
  container_ends_with 0 busy # its own verdict on all that it went through
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in live checkpoints"
  finish_store
}

teardown() { echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"; }

checkpoint_with_fault() {
  at "$1" "$2" "${PROGRAM:-$STILL_TEST_PROGRAM}" checkpoint -R -e "$WORK/archive" "--memory-cut=${WAY:-stock}" busy
}

# Steps in their order. Until the thaw there is a guardian, and from "frozen" to "cut" the container
# stands still.
all_steps=("in the journal" guarded staged prepared ready frozen dumping dumped cut thawed released writing complete written)
guarded_steps=(guarded staged prepared ready frozen dumping dumped cut thawed)
# Of a cut by forks: from "held" to "forked" ptrace holds all threads, too, and until "merged" there are copies
# of the processes.
fork_steps=(dumped cut held forked thawed copied merged released)
guarded_fork_steps=(held forked thawed)

by_fork() { WAY=fork "$@"; }

# Of one that is copied before the freeze: from "protected" to "copied" the kernel notes what is written to. It does
# not care for the cgroup's version, but for the one where the step is in the window.
protection_steps=(frozen held)
[[ $(cgroup_version) == v1 ]] || protection_steps=(protected "caught up" frozen dumping dumped cut held thawed copied merged)

by_protection() { WAY=protect "$@"; }

# Without the library for CRIU, which then keeps the pages and waits for somebody to ask for them.
by_lazy_pages() {
  local directory=$BATS_FILE_TMPDIR/without-library
  [[ -e $directory ]] || copy_without_library "$STILL_TEST_PROGRAM" "$directory"
  PROGRAM=$directory/$(basename "$STILL_TEST_PROGRAM") WAY=fork "$@"
}

killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_STILL"
  after_fault
  [[ $said == *"a checkpoint of busy was interrupted"* ]]
}

# An archive that is encrypted is plain before, in the store.
killed_encrypting() {
  local key
  key=$(age-keygen 2>/dev/null)
  ends_with 137 at "$1" "$KILL_STILL" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" \
    --encrypt-to "$(age-keygen -y <<<"$key")" busy
  after_fault
  [[ $said == *"a checkpoint of busy was interrupted"* && ! -e $WORK/archive ]]
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

# Nobody is left then to thaw it but the next command.
both_killed() {
  ends_with 137 checkpoint_with_fault "$1" "$KILL_BOTH"
  next_command_mends
  [[ $said == *"a checkpoint of busy was interrupted"* || $1 == thawed ]]
}

# Whether CRIU waits for a runtime that has gone, or finds that out at its end: see docs/testing.md.
runtime_killed() {
  run checkpoint_with_fault dumping "sleep $2; $1"
  echo "$output"
  [[ $status -eq 125 && $output == *"killed by signal"*"the checkpoint is discarded"* ]]
  after_fault
  [[ -z $said ]]
}

# init_killed STEP [SECONDS]: Still goes on after so long; 1 s is enough for conmon, and the container's cgroup is gone.
init_killed() {
  local init before=$SECONDS
  init=$(still inspect --format '{{.State.Pid}}' busy)
  run checkpoint_with_fault "$1" "kill -KILL $init; sleep ${2:-0}"
  echo "status $status: $output"
  # An init that is held waits for processes that are, and Still not for long. CRIU waits for one 10 s that is
  # frozen by v1.
  [[ ${WAY:-} != fork || $((SECONDS - before)) -lt 10 ]]
  [[ $status -eq 125 || ($status -eq 0 && -e $WORK/archive) ]]
  eventually has_state busy exited
  [[ $(still ps 2>&1 >/dev/null) == "" ]]
  eventually clean
  whole_or_absent "$WORK/archive"
  rm -f "$WORK/archive"
  start_again
}

for step in "${all_steps[@]}"; do
  bats_test_function --description "still is killed: $step" -- killed "$step"
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for step in "${fork_steps[@]}"; do
  bats_test_function --description "still is killed, by fork: $step" -- by_fork killed "$step"
  bats_test_function --description "still is terminated, by fork: $step" -- by_fork terminated "$step"
done
for step in "${protection_steps[@]}"; do
  bats_test_function --description "still is killed, by write protection: $step" -- by_protection killed "$step"
  bats_test_function --description "still is terminated, by write protection: $step" -- by_protection terminated "$step"
done
for step in frozen dumped held; do
  bats_test_function --description "still and the guardian are killed, by write protection: $step" \
    -- by_protection both_killed "$step"
done
for step in complete encrypted; do
  bats_test_function --description "still is killed while it encrypts: $step" -- killed_encrypting "$step"
done
for step in "${guarded_steps[@]}"; do
  bats_test_function --description "the guardian is killed: $step" -- without_guardian "$step" "$KILL_GUARDIAN"
  bats_test_function --description "still and the guardian are killed: $step" -- both_killed "$step"
done
for step in "${guarded_fork_steps[@]}"; do
  bats_test_function --description "the guardian is killed, by fork: $step" \
    -- by_fork without_guardian "$step" "$KILL_GUARDIAN"
  bats_test_function --description "still and the guardian are killed, by fork: $step" -- by_fork both_killed "$step"
done
for step in dumping dumped held; do
  bats_test_function --description "still is killed, by lazy pages: $step" -- by_lazy_pages killed "$step"
  bats_test_function --description "still is terminated, by lazy pages: $step" -- by_lazy_pages terminated "$step"
  bats_test_function --description "still and the guardian are killed, by lazy pages: $step" \
    -- by_lazy_pages both_killed "$step"
done
bats_test_function --description "the guardian is terminated: frozen" -- without_guardian frozen "$TERMINATE_GUARDIAN"
for after in 0 0.004; do
  bats_test_function --description "the runtime is killed: dumping for $after s" -- runtime_killed "$KILL_RUNTIME" "$after"
  bats_test_function --description "the runtime is terminated: dumping for $after s" -- runtime_killed "$TERMINATE_RUNTIME" "$after"
done
# As the kernel does for lack of memory.
for step in dumped held forked copied; do
  bats_test_function --description "the container's init is killed, by fork: $step" -- by_fork init_killed "$step"
done
for step in prepared frozen dumped cut; do
  bats_test_function --description "the container's init is killed: $step" -- init_killed "$step"
done
for step in protected "caught up" dumped held copied; do
  bats_test_function --description "the container's init is killed, by write protection: $step" \
    -- by_protection init_killed "$step"
done
for step in prepared ready; do
  bats_test_function --description "the container is gone, by fork: $step" -- by_fork init_killed "$step" 1
  bats_test_function --description "the container is gone, by write protection: $step" -- by_protection init_killed "$step" 1
  bats_test_function --description "the container is gone: $step" -- init_killed "$step" 1
done
bats_test_function --description "the container is gone, by write protection: caught up" \
  -- by_protection init_killed "caught up" 1

@test "a step that does not come, or that there is not, is seen" {
  ends_with 99 at frozen true "$STILL_TEST_PROGRAM" ps
  ends_with 99 at "no such step" true "$STILL_TEST_PROGRAM" ps
}
