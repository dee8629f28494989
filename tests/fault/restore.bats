#!/usr/bin/env bats
# cgroups: v2
# Restores with one fault each: nothing is left of a restore that fails or is killed, and a second
# try succeeds.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload
load ../system/checkpoint_support
load fault_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  begin_store
  export BEFORE
  start_busy "$(any_runtime)"
  live_checkpoint busy "$WORK/kept" -c none
  still rm -f busy >/dev/null
  still volume rm data >/dev/null
}

teardown_file() {
  note "$(wc -l <"$BATS_FILE_TMPDIR/cases") faults in restores"
  finish_store
}

teardown() {
  echo "$BATS_TEST_DESCRIPTION" >>"$BATS_FILE_TMPDIR/cases"
  # Of a test that failed.
  still rm --force busy >/dev/null 2>&1 || true
  still volume rm --force data >/dev/null 2>&1 || true
}

import_with_fault() { at "$1" "$2" "$STILL_TEST_PROGRAM" restore --import "$WORK/kept" --rootfs "$ROOTFS"; }

# busy's last words must be that memory and files were of one instant all the time.
ends_consistent() {
  answers busy
  still stop --time 60 busy >/dev/null
  container_ends_with 0 busy
  still rm busy >/dev/null
  still volume rm data >/dev/null
}

# The second try: it runs, consistent, and goes.
succeeds() {
  eventually clean
  nothing_made
  no_conmon
  still restore --import "$WORK/kept" --rootfs "$ROOTFS" >/dev/null
  ends_consistent
}

conmons() { pgrep -x conmon || true; }
no_conmon() { [[ -z $(conmons) ]]; }

killed() {
  ends_with 137 import_with_fault "$1" "$2"
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  [[ $said == *"a restore of "*" was interrupted"* ]]
  succeeds
}

killed_after() {
  run import_with_fault filled "(sleep $1; kill -KILL \$PPID) >/dev/null 2>&1 & exec sleep 0.01"
  echo "$output"
  [[ $status -eq 137 || $status -eq 0 ]]
  still ps
  # Where it came too late, before the end of the process or after, the container runs.
  if [[ $status -eq 0 ]] || still inspect busy >/dev/null 2>&1; then
    ends_consistent
  fi
  succeeds
}

terminated() {
  run import_with_fault "$1" "$TERMINATE_STILL"
  echo "$output"
  [[ $status -eq 143 && $output == *"interrupted by signal 15"* ]]
  [[ -z $(still ps 2>&1 >/dev/null) ]]
  succeeds
}

criu_killed() {
  run import_with_fault filled "(sleep $1; pkill -KILL -x 'criu|crun|runc') >/dev/null 2>&1 &"
  echo "$output"
  # Where it came too late the container runs.
  [[ $status -eq 125 ]] || { [[ $status -eq 0 ]] && still rm -f busy && still volume rm data; }
  succeeds
}

# busy as its default checkpoint left it.
start_checkpointed() {
  local runtime=$1
  start_busy "$runtime"
  still exec busy sh -c 'echo content >/etc/kept'
  still checkpoint busy >/dev/null
  eventually no_conmon # which would find what we leave
}

# restore_killed STEP: what the next command then says is left in $said.
restore_killed() {
  run at "$1" "$KILL_STILL" "$STILL_TEST_PROGRAM" restore busy
  [[ $status -eq 137 ]]
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  eventually clean
}

# From a live checkpoint what was there before is there again: exited, with its checkpoint.
live_in_place_killed() {
  local step=$1
  start_busy "$(any_runtime)"
  still checkpoint -R busy >/dev/null
  still kill busy >/dev/null
  eventually no_conmon # which would find what we leave
  restore_killed "$step"
  if [[ $step == succeeded ]]; then
    [[ $(state busy Status) == running ]]
  else
    [[ $said == *"a restore of busy was interrupted"* && $(state busy Status) == exited ]]
    no_conmon
    still restore busy >/dev/null
  fi
  ends_consistent
}

# conmon of the run before is late, and the command that it calls is the one that finds the restore.
late_clean_up() {
  local monitor
  start_busy "$(any_runtime)"
  still checkpoint -R busy >/dev/null
  monitor=$(conmons)
  kill -STOP "$monitor"
  still kill busy >/dev/null
  eventually has_state busy exited
  run at filled "$KILL_STILL" "$STILL_TEST_PROGRAM" restore busy
  [[ $status -eq 137 ]]
  kill -CONT "$monitor"
  eventually clean
  eventually no_conmon
  still restore busy >/dev/null
  ends_consistent
}

# From a default checkpoint it goes on with its own files: once it has run there is no way back, and
# the restore is completed.
in_place_killed() {
  local step=$1
  start_checkpointed "$(any_runtime)"
  restore_killed "$step"
  if [[ $step == filled ]]; then
    [[ $said == *"nothing was left"* && $(state busy Status) == exited ]]
    no_conmon
    still restore busy >/dev/null
  else
    [[ $(state busy Status) == running && $(state busy Checkpointed) == false ]]
  fi
  ends_consistent
}

# Nothing of the restore is left then but that it was recorded.
container_ends_in_place() {
  start_checkpointed "$(any_runtime)"
  run at restored "$KILL_STILL; pkill -KILL -x counter" "$STILL_TEST_PROGRAM" restore busy
  [[ $status -eq 137 ]]
  eventually has_state busy exited
  eventually clean
  [[ $(state busy Checkpointed) == false ]]
  fails_with "has no checkpoint" still restore busy
  start_again
  ends_consistent
}

# The runtime goes on without us, and conmon stays.
killed_in_place_after() {
  local runtime=$1
  start_checkpointed "$runtime"
  run at filled "(sleep $2; kill -KILL \$PPID) >/dev/null 2>&1 & exec sleep 0.01" "$STILL_TEST_PROGRAM" restore busy
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  eventually clean
  [[ $status -eq 0 || $status -eq 137 ]]
  [[ $status -ne 137 || $(state busy Status) == running ]] || still restore busy >/dev/null
  # A runc that is killed leaves the container's root file system mounted in its own state.
  [[ $(still exec busy cat /etc/kept) == content && $(still exec busy ls /bin | wc -l) -gt 10 ]]
  ends_consistent
}

# The next command comes before conmon has called the runtime.
monitor_is_slow() {
  local slow=$WORK/slow
  mkdir "$slow"
  printf '#!/bin/sh\nsleep 1\nexec %s "$@"\n' "$(type -P conmon)" >"$slow/conmon"
  chmod +x "$slow/conmon"
  start_checkpointed "$(any_runtime)"
  PATH=$slow:$PATH run at filled "(sleep 0.3; kill -KILL \$PPID) >/dev/null 2>&1 & exec sleep 0.01" \
    "$STILL_TEST_PROGRAM" restore busy
  [[ $status -eq 137 ]]
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  [[ $said == *"it is complete"* && $(state busy Status) == running ]]
  ends_consistent
}

# criu_killed_in_place RUNTIME COMMAND, which kills CRIU some time. Whenever that is: either the checkpoint
# is as before, or it is gone and that is said.
criu_killed_in_place() {
  local runtime=$1
  start_checkpointed "$runtime"
  run at filled "($2) >/dev/null 2>&1 &" "$STILL_TEST_PROGRAM" restore busy
  echo "$output"
  eventually clean
  if [[ $output == *"is used up"* ]]; then
    [[ $status -eq 125 ]]
    fails_with "has no checkpoint" still restore busy
    start_again
  elif [[ $status -ne 0 ]]; then
    [[ $status -eq 125 && $(state busy Checkpointed) == true ]]
    still restore busy >/dev/null
  fi
  ends_consistent
}

# It ends well after another command, which undoes something else, has read the journal.
beside_recovery() {
  local restoring
  start_busy "$(any_runtime)"
  still checkpoint -R busy >/dev/null
  still run -d --name other --rootfs "$ROOTFS" /bin/sleep 1000 >/dev/null
  still kill busy >/dev/null
  eventually has_state busy exited
  (
    at filled "$(when_there "$WORK/go")" "$STILL_TEST_PROGRAM" restore busy >/dev/null 2>&1 || exit
    touch "$WORK/restored"
  ) 3>&- &
  restoring=$!
  run at "in the journal" "$KILL_STILL" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" other
  [[ $status -eq 137 ]]
  said=$(at "journal read" "touch '$WORK/go'; $(when_there "$WORK/restored")" "$STILL_TEST_PROGRAM" ps 2>&1 >/dev/null)
  wait "$restoring"
  rm "$WORK/go" "$WORK/restored"
  [[ $said == *"a checkpoint of other was interrupted"* && $said != *"a restore of busy"* ]]
  [[ $(state busy Status) == running ]]
  still rm --force other >/dev/null
  ends_consistent
}

# For a shell: waits for a file, at most 20 s.
when_there() { echo "for i in \$(seq 400); do [ ! -e '$1' ] || break; sleep 0.05; done"; }

# The tasks run when the store cannot be told, and are ended for that.
unrecorded_in_place() {
  start_checkpointed "$(any_runtime)"
  in_store "CREATE TRIGGER refuse BEFORE UPDATE ON containers WHEN NEW.status = 'running'
            BEGIN SELECT RAISE(ABORT, 'refused'); END"
  run still restore busy
  in_store "DROP TRIGGER refuse"
  echo "$output"
  [[ $status -eq 125 && $output == *"is used up"* ]]
  eventually clean
  [[ $(state busy Status) == exited && $(state busy Checkpointed) == false ]]
  fails_with "has no checkpoint" still restore busy
  start_again
  ends_consistent
}

# What ran and what CRIU's log said went with the machine.
machine_reboots() {
  start_checkpointed "$(any_runtime)"
  run at "$1" "$KILL_STILL" "$STILL_TEST_PROGRAM" restore busy
  [[ $status -eq 137 ]]
  pkill -KILL -x conmon || true
  [[ $1 == filled ]] || kill -KILL "$(pgrep -x counter | head -n 1)"
  rm -rf "$STILL_ROOT"/containers/*/restore
  in_store "UPDATE journal SET entry = json_set(entry, '$.boot_id', 'another')"
  said=$(still ps 2>&1 >/dev/null)
  echo "the next command says: $said"
  [[ $said == *"its checkpoint is used up"* && $(state busy Status) == exited ]]
  fails_with "has no checkpoint" still restore busy
  still rm busy >/dev/null
  still volume rm data >/dev/null
}

for step in unpacked "volumes filled" "container made" filled restored; do
  bats_test_function --description "still is killed: $step" -- killed "$step" "$KILL_STILL"
  bats_test_function --description "still is terminated: $step" -- terminated "$step"
done
for after in 0.02 0.1 0.2; do
  bats_test_function --description "still is killed: restoring for $after s" \
    -- killed_after "$after"
  bats_test_function --description "CRIU and the runtime are killed: restoring for $after s" -- criu_killed "$after"
done
for step in filled restored succeeded; do
  bats_test_function --description "still is killed in place: $step" -- in_place_killed "$step"
  bats_test_function --description "still is killed in place, live: $step" -- live_in_place_killed "$step"
done
bats_test_function --description "still is killed in place, then the container" -- container_ends_in_place
bats_test_function --description "still is killed in place, live: conmon is late" -- late_clean_up
for runtime in $(runtimes); do
  for after in 0 0.03 0.06 0.09 0.12; do
    bats_test_function --description "still is killed in place with $runtime: restoring for $after s" \
      -- killed_in_place_after "$runtime" "$after"
    bats_test_function --description "CRIU and $runtime are killed in place: restoring for $after s" \
      -- criu_killed_in_place "$runtime" "sleep $after; pkill -KILL -x 'criu|crun|runc'"
  done
  bats_test_function --description "CRIU and $runtime are killed in place: it lets the tasks go" \
    -- criu_killed_in_place "$runtime" "'$BATS_TEST_DIRNAME/kill_criu_at_release' \$STILL_ROOT"
done
bats_test_function --description "still is killed in place: conmon is slow" -- monitor_is_slow
bats_test_function --description "another command undoes something meanwhile" -- beside_recovery
bats_test_function --description "the store refuses what has been restored in place" -- unrecorded_in_place
for step in filled restored; do
  bats_test_function --description "the machine reboots in place: $step" -- machine_reboots "$step"
done
