#!/usr/bin/env bats
# Live checkpoints during which somebody stops one of the processes, or ends or freezes all that are
# where still was called: the container runs within two seconds, and there is a whole archive or none.

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
  finish_store
}

setup() { CALLER=; }
teardown() { [[ -z $CALLER ]] || rmdir "$CALLER"; }

# begin_with_fault STEP COMMAND [ARGUMENT...]: in the background, its pid in $checkpoint, until the command has
# been run in the shell of the hook. It is to say what $PPID is by then.
begin_with_fault() {
  rm -f "$WORK/done"
  (
    [[ -z $CALLER ]] || echo "$BASHPID" >"$CALLER/cgroup.procs"
    exec env STILL_TEST_MARK="$WORK/mark" STILL_TEST_AT="$1" STILL_TEST_DO="$2; touch $WORK/done" "$STILL_TEST_PROGRAM" checkpoint -R \
      -e "$WORK/archive" "--memory-cut=${WAY:-stock}" "${@:3}" busy
  ) >"$WORK/out" 2>&1 3>&- &
  checkpoint=$!
  for _ in {1..1000}; do
    [[ ! -e $WORK/done ]] || return 0
    sleep 0.01
  done
  return 1
}

init_of_busy() { still inspect --format '{{.State.Pid}}' busy; }

# Neither frozen nor held by anybody.
busy_runs() { [[ -z $(frozen_cgroups) && $(sed -n 's/^TracerPid:\t//p' "/proc/$INIT/status") == 0 ]]; }

runs_within_two_seconds() {
  local end=$(($(date +%s%N) + 2000000000))
  until busy_runs; do
    [[ $(date +%s%N) -lt $end ]] || {
      echo "it stands still: $(frozen_cgroups) $(grep TracerPid "/proc/$INIT/status")"
      return 1
    }
    sleep 0.02
  done
}

# goes_on_and_ends CODE...: it is sent on, and ends with one of these.
goes_on_and_ends() {
  local code=0
  kill -CONT "$checkpoint" 2>/dev/null || true
  wait "$checkpoint" || code=$?
  cat "$WORK/out"
  echo "ended with $code"
  [[ " $* " == *" $code "* ]]
  [[ $code -eq 0 || ! -e $WORK/archive ]]
  after_fault
}

stopped() {
  INIT=$(init_of_busy)
  begin_with_fault "$1" 'kill -STOP $PPID'
  runs_within_two_seconds
  goes_on_and_ends 125 137 0
  # Before the freeze nothing is the matter.
  [[ $1 != prepared && $1 != ready ]] || grep -qv Error "$WORK/out"
}
stopped_by_fork() { WAY=fork stopped "$1"; }
for step in prepared ready frozen dumping dumped cut thawed released; do
  bats_test_function --description "still is stopped: $step" -- stopped "$step"
done
for step in dumping held forked thawed copied merged; do
  bats_test_function --description "still is stopped in a cut by forks: $step" -- stopped_by_fork "$step"
done

has_stopped_or_ended() { ! grep -q "^State:.[^TZ]" "/proc/$checkpoint/status"; }
# It waits for the end of the window, and stops still then.
terminal_stop() {
  INIT=$(init_of_busy)
  begin_with_fault "$1" "kill -$2 \$PPID"
  runs_within_two_seconds
  # The kernel stops nobody whose group has no shell that could send it on.
  eventually has_stopped_or_ended
  goes_on_and_ends 0
}
for signal in TSTP TTIN TTOU; do
  bats_test_function --description "SIG$signal waits until the container runs" -- terminal_stop dumping "$signal"
done
terminal_stop_by_fork() { WAY=fork terminal_stop held TSTP; }
bats_test_function --description "SIGTSTP waits until the container runs: forks" -- terminal_stop_by_fork

guardian_stopped() {
  INIT=$(init_of_busy)
  begin_with_fault "$1" 'pkill -STOP -P $PPID -x still-guardian'
  runs_within_two_seconds
  goes_on_and_ends 0
}
for step in guarded frozen dumping thawed; do
  bats_test_function --description "the guardian is stopped: $step" -- guardian_stopped "$step"
done

# What is stopped is sent on, and named.
criu_stopped() {
  INIT=$(init_of_busy)
  begin_with_fault "$1" "sleep $2; pkill -STOP -x '$3' && touch $WORK/stopped"
  runs_within_two_seconds
  goes_on_and_ends 0
  # At its gate CRIU waits for us. Later it may have been done already, at once where the machine has other work.
  [[ $1 == frozen || ($2 == 0 && -e $WORK/stopped) ]] || return 0
  grep -E "has stopped process [0-9]+ \($3\)" "$WORK/out"
}
bats_test_function --description "CRIU is stopped at its gate" -- criu_stopped frozen 0 criu
for moment in 0 0.005 0.015 0.03; do
  bats_test_function --description "CRIU is stopped after $moment s" -- criu_stopped dumping "$moment" criu
done
bats_test_function --description "the runtime is stopped" -- criu_stopped dumping 0 "$(any_runtime)"

# caller_in HIERARCHY: a cgroup of its own for what is started next.
caller_in() {
  CALLER=$1/caller-$BATS_TEST_NUMBER
  mkdir "$CALLER"
}

# All that is where still was called ends, as with a systemd unit.
all_killed() {
  INIT=$(init_of_busy)
  caller_in /sys/fs/cgroup
  begin_with_fault "$1" "exec 4>$CALLER/cgroup.kill; touch $WORK/done; echo 1 >&4"
  runs_within_two_seconds
  goes_on_and_ends 137
}
all_killed_by_fork() { WAY=fork all_killed "$1"; }
# v1 has no cgroup.kill: whoever ends a unit kills one by one.
all_killed_one_by_one() {
  INIT=$(init_of_busy)
  caller_in /sys/fs/cgroup/freezer
  begin_with_fault "$1" "touch $WORK/done; kill -KILL \$(grep -v \$\$ $CALLER/cgroup.procs)"
  runs_within_two_seconds
  goes_on_and_ends 137
}
if [[ $(cgroup_version) == v2 ]]; then
  for step in guarded frozen dumping dumped; do
    bats_test_function --description "the caller's cgroup is killed: $step" -- all_killed "$step"
  done
  for step in held forked thawed; do
    bats_test_function --description "the caller's cgroup is killed in a cut by forks: $step" -- all_killed_by_fork "$step"
  done
else
  for step in guarded frozen dumping dumped; do
    bats_test_function --description "all processes of the caller's cgroup are killed: $step" -- all_killed_one_by_one "$step"
  done
fi

caller_frozen() {
  local on=1 off=0 file=cgroup.freeze hierarchy=/sys/fs/cgroup
  if [[ $(cgroup_version) == v1 ]]; then on=FROZEN off=THAWED file=freezer.state hierarchy+=/freezer; fi
  INIT=$(init_of_busy)
  caller_in "$hierarchy"
  begin_with_fault "$1" "touch $WORK/done; echo $on >$CALLER/$file"
  runs_within_two_seconds
  echo "$off" >"$CALLER/$file"
  goes_on_and_ends 125 137 0
}
for step in frozen dumping cut; do
  bats_test_function --description "the caller's cgroup is frozen: $step" -- caller_frozen "$step"
done

ended_by_signal() {
  INIT=$(init_of_busy)
  begin_with_fault dumping "kill -$1 \$PPID"
  runs_within_two_seconds
  goes_on_and_ends "$2"
}
# The signals of limits wait; the kernel's end of a process that has too much memory is SIGKILL.
bats_test_function --description "SIGXCPU waits until the container runs" -- ended_by_signal XCPU 152
bats_test_function --description "SIGXFSZ waits until the container runs" -- ended_by_signal XFSZ 153

# limited FLAG VALUE NAME: in a program that may not lift the limit it is a reason to refuse.
limited() {
  local before
  run bash -c "ulimit -S $1 $2; still checkpoint -R -e '$WORK/archive' busy"
  echo "$output"
  [[ $status -eq 0 ]]
  after_fault
  fails_with "$3" setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
    bash -c "ulimit $1 $2; exec still checkpoint -R -e '$WORK/archive' busy"
  after_fault
}
bats_test_function --description "a limit of processor time is lifted for CRIU, or a reason to refuse" -- limited -t 1 "ulimit -t"
bats_test_function --description "a limit of file sizes is lifted for CRIU, or a reason to refuse" -- limited -f 1000 "ulimit -f"
