# shellcheck shell=bash
# For the fault matrix: one busy container, a fault at a step of an operation on it, and what must
# hold afterwards whatever the fault was. Loaded after helpers and workload.

# --- commands that a fault is made of, for the shell that the hook starts ---------------------------

# The guardian of the program and the OCI runtime are its children, CRIU is the runtime's.
export KILL_STILL='kill -KILL $PPID'
export TERMINATE_STILL='kill -TERM $PPID'
export KILL_GUARDIAN='pkill -KILL -P $PPID -x still-guardian'
export TERMINATE_GUARDIAN='pkill -TERM -P $PPID -x still-guardian'
export KILL_BOTH='pkill -KILL -P $PPID -x still-guardian; kill -KILL $PPID'
export KILL_RUNTIME='pkill -KILL -P $PPID -x "crun|runc"'
export TERMINATE_RUNTIME='pkill -TERM -P $PPID -x "crun|runc"'

# --- the container ----------------------------------------------------------------------------------

# One for all tests of a file: it has its own opinion on whether it was harmed.
start_busy() {
  local runtime=$1
  shift
  still run -d --name busy --runtime "$runtime" -v data:/data --rootfs "$ROOTFS" "$@" \
    /bin/counter --report 50 >/dev/null
  eventually steps_beyond busy 0
}

steps() { still logs "$1" 2>/dev/null | sed -n 's/.* steps=\([0-9]*\).*/\1/p' | tail -n 1; }
steps_beyond() { [[ $(steps "$1") -gt $2 ]]; }

# It runs, and it counts. When it comes to that is the machine's business, see nobody_stands_still.
answers() {
  local before status
  status=$(still inspect --format '{{.State.Status}}' "$1")
  [[ $status == running ]] || { echo "$1 is $status"; return 1; }
  before=$(steps "$1")
  eventually steps_beyond "$1" "$before"
}

# It counts from the beginning then: what it has logged before is no measure of it.
start_again() {
  local before
  before=$(steps busy)
  still start busy >/dev/null
  eventually reports_other_than busy "$before"
  answers busy
}
reports_other_than() { [[ $(steps "$1") != "$2" ]]; }

# --- afterwards -------------------------------------------------------------------------------------

# in_store SQL: a statement in the store's database; prints the first column of its rows.
in_store() {
  python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as store:
    for row in store.execute(sys.argv[2]): print(row[0])' "$STILL_ROOT/still.db" "$1"
}

journal_entries() { in_store "SELECT entry FROM journal"; }

# Nothing of the operation: staging, mounts, temporary files, processes, journal.
clean() {
  local left
  left=$(
    find "$STILL_ROOT/staging" "$WORK" -mindepth 1 \( -path "$STILL_ROOT/staging/*-*" -o -name '.still-*' \)
    find "$STILL_ROOT" -name '*.before-restore'
    awk -v root="$STILL_ROOT/staging/" 'index($5, root) == 1 { print "mount", $5 }' /proc/self/mountinfo
    pgrep -x 'still-guardian' | sed 's/^/guardian /'
    pgrep -x 'criu' | sed 's/^/criu /'
    journal_entries
  )
  [[ -z $left ]] || {
    printf 'left behind:\n%s\n' "$left"
    return 1
  }
}

# Whatever is there under the final name is complete: it restores, and the copy is consistent.
whole_or_absent() {
  [[ -e $1 ]] || return 0
  still restore --import "$1" --name copy --rename-volume data=copy >/dev/null
  sleep 0.2
  still stop --time 60 copy >/dev/null
  container_ends_with 0 copy
  still rm copy >/dev/null
  still volume rm copy >/dev/null
}

# Of its processes, alive or not: they have no exit signal (proc_pid_stat(5)).
no_copies() {
  local pid parent
  parent=$(still inspect --format '{{.State.Pid}}' "$1")
  for pid in $(pgrep --ns "$parent" --nslist pid .); do
    [[ $(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f36) != 0 ]] || { echo "a copy is left: $pid"; return 1; }
  done
}

# In the cgroups of the engine, which is Still.
frozen_cgroups() {
  find /sys/fs/cgroup -path "${ENGINE_CGROUPS:-*/still/*}" \( -name cgroup.events -o -name freezer.state \) \
    -exec grep -lE '^(frozen 1|FROZEN|FREEZING)$' {} + 2>/dev/null
}
no_runtime() { ! pgrep -x 'criu|crun|runc'; }

# nobody_stands_still: the deadline for Still itself, 2 s after the runtime, which nobody ends, has ended. It asks the
# kernel: a command in the container, or its next report, takes as long as a busy machine lets it.
nobody_stands_still() {
  eventually no_runtime
  for _ in {1..20}; do
    [[ -n $(frozen_cgroups) ]] || return 0
    sleep 0.1
  done
  echo "frozen: $(frozen_cgroups)"
  return 1
}

# after_fault: what must hold after each run.
after_fault() {
  nobody_stands_still
  next_command_mends
}

# The first command, one that needs the container, cleans up; what it says is left in $said.
next_command_mends() {
  said=$(timeout 60 still exec busy true 2>&1) || { echo "busy does not answer: $said"; return 1; }
  echo "the next command says: $said"
  nobody_stands_still
  answers busy
  eventually clean
  no_copies busy
  whole_or_absent "$WORK/archive"
  rm -f "$WORK/archive"
}
