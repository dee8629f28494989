# shellcheck shell=bash
# What system tests share: a store of its own for each test, small containers made from busybox,
# and a look at the machine after each test for what must not be left there.

# The directory of this file, from wherever it is loaded.
system_tests=$(dirname "${BASH_SOURCE[0]}")

# --- where a test can run ---------------------------------------------------------------------------

# require WHAT COMMAND...: the test needs this. Where it is not given, the test is skipped by name;
# with STILL_TESTS_MUST_RUN=1 it fails.
require() {
  local what=$1
  shift
  ! "$@" >/dev/null 2>&1 || return 0
  [[ ${STILL_TESTS_MUST_RUN:-} != 1 ]] || {
    echo "this test must run, but there is no $what"
    return 1
  }
  skip "no $what"
}

cgroup_version() { echo "${STILL_TEST_CGROUP:-v2}"; }

# only_v2 WHY: for a test that cannot be about cgroups v1. It is not missing where every test must
# run: the run with v2 has it.
only_v2() { [[ $(cgroup_version) == v2 ]] || skip "$1"; }

# Runtimes that work with the cgroups of this run: crun needs the unified hierarchy.
runtimes() {
  if [[ $(cgroup_version) == v1 ]]; then echo runc; else echo crun runc; fi
}

# for_each_runtime FUNCTION: calls it with $RUNTIME set, each time with a store without containers.
for_each_runtime() {
  for RUNTIME in $(runtimes); do
    echo "runtime: $RUNTIME"
    "$1"
    still rm --force --all >/dev/null
    still volume prune --force >/dev/null
  done
}

# A runtime to use where it does not matter which.
any_runtime() { runtimes | cut -d' ' -f1; }

# --- stores -----------------------------------------------------------------------------------------

# Paths stay short: the names of conmon's sockets must fit in 108 bytes.
begin_store() {
  STILL_ROOT=$(mktemp -d /tmp/s.XXXX)
  WORK=$(mktemp -d /tmp/w.XXXX)
  DISK=
  export STILL_ROOT WORK
  BEFORE=$(cgroups)
}

# store_on TYPE: from here on the store is on a new file system of this type, on a loop device.
store_on() {
  truncate -s 1G "$WORK/disk"
  "mkfs.$1" -q "$WORK/disk"
  DISK=$(mktemp -d /tmp/f.XXXX)
  mount -t "$1" -o loop "$WORK/disk" "$DISK"
  rmdir "$STILL_ROOT"
  STILL_ROOT=$DISK/s
  mkdir "$STILL_ROOT"
}

knows_filesystem() { grep -qw "$1" /proc/filesystems || modprobe "$1"; }

# Removes the store; fails if its containers left something on the machine.
finish_store() {
  local ok=0
  still rm --force --all >/dev/null || ok=1
  nothing_left || ok=1
  umount --recursive --lazy "$STILL_ROOT" 2>/dev/null || true
  rm -rf --one-file-system "$STILL_ROOT"
  [[ -z ${DISK:-} ]] || { umount "$DISK" && rmdir "$DISK"; } || ok=1
  rm -rf --one-file-system "$WORK"
  return "$ok"
}

# The last processes of a container, conmon among them, may take a moment to go.
nothing_left() {
  local left
  for _ in {1..300}; do
    left=$(mounts_left && cgroups_left && processes_left)
    [[ -n $left ]] || return 0
    sleep 0.1
  done
  printf 'left behind:\n%s\n' "$left"
  return 1
}

mounts_left() { awk -v root="$STILL_ROOT/" 'index($5 "/", root) == 1 { print "mount", $5 }' /proc/self/mountinfo; }

# The empty parent of all containers' cgroups is shared by design.
cgroups() { find /sys/fs/cgroup -mindepth 1 -type d ! -path '*/still' 2>/dev/null | sort; }
cgroups_left() { comm -13 <(printf '%s\n' "$BEFORE") <(cgroups) | sed '/^$/d; s/^/cgroup /'; }

# conmon has the store's paths among its arguments.
processes_left() {
  local arguments
  for arguments in /proc/[0-9]*/cmdline; do
    { tr '\0' ' ' <"$arguments"; } 2>/dev/null | grep -F "$STILL_ROOT/" || true
  done
}

# --- root file systems and images -------------------------------------------------------------------

# Sets $ROOTFS to a root file system with busybox; made once, for reading only.
use_busybox() {
  ROOTFS=$("$system_tests/rootfs/make" busybox)
  export ROOTFS
}

# An image "busybox" in this test's store.
import_busybox() { still import "$ROOTFS" busybox "$@" >/dev/null; }

# --- containers -------------------------------------------------------------------------------------

# sleeper NAME [FLAG...]: a container that does nothing for as long as the test needs it, and ends
# at once when asked to.
sleeper() {
  local name=$1
  shift
  still run -d --name "$name" "${RUNTIME_FLAG[@]}" "$@" --rootfs "$ROOTFS" \
    sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done' >/dev/null
}

# state NAME FIELD
state() { still inspect --format "{{.State.$2}}" "$1"; }
has_state() { [[ $(state "$1" Status) == "$2" ]]; }

# --- the program with hooks -------------------------------------------------------------------------

# at STEP COMMAND PROGRAM...: at this step of $STILL_TEST_PROGRAM the command is run, its parent being the program. Ends
# like PROGRAM, or with 99, which is no program's, if it did not come to that step: there may be none of that name
# (src/base/hooks.h).
at() {
  local step=$1 command=$2 mark status=0
  shift 2
  mark=$(mktemp "$BATS_TEST_TMPDIR/at.XXXX")
  STILL_TEST_AT=$step STILL_TEST_DO=$command STILL_TEST_MARK=$mark "$@" || status=$?
  [[ -e $mark ]] || return "$status"
  rm "$mark"
  echo "the step was not reached: $step"
  return 99
}

# --- asking -----------------------------------------------------------------------------------------

# eventually COMMAND...: succeeds as soon as the command does. Its deadline is for what will never be, not a judgement
# of how long something took: the machine may have other work, or be an emulated one.
eventually() {
  local end=$((SECONDS + 120))
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $end ]] || {
      echo "still not so after 120 s: $*"
      return 1
    }
    sleep 0.1
  done
}

# fails_with TEXT COMMAND...: exit code 125, nothing on standard output, and one line on standard
# error that has the text.
fails_with() {
  local text=$1 out err status=0
  shift
  out=$(mktemp "$WORK/out.XXXX") err=$(mktemp "$WORK/err.XXXX")
  "$@" >"$out" 2>"$err" || status=$?
  cat "$out" "$err"
  [[ $status -eq 125 ]] || { echo "exit code $status instead of 125"; return 1; }
  [[ ! -s $out ]] || { echo "something on standard output"; return 1; }
  [[ $(wc -l <"$err") -eq 1 && $(cat "$err") == "Error: "* ]] || { echo "not one line of error"; return 1; }
  [[ $(cat "$err") == *"$text"* ]] || { echo "the error does not say: $text"; return 1; }
}

# says NAME REGEX: in its log.
says() { still logs "$1" | grep -q "$2"; }

# is TEXT COMMAND...: the command succeeds and prints exactly this.
is() {
  local expected=$1 actual
  shift
  actual=$("$@") || { echo "failed with $?: $*"; return 1; }
  [[ $actual == "$expected" ]] || {
    printf 'expected: %s\nactual:   %s\nof: %s\n' "$expected" "$actual" "$*"
    return 1
  }
}

# ends_with CODE COMMAND...
ends_with() {
  local expected=$1 status=0
  shift
  "$@" || status=$?
  [[ $status -eq $expected ]] || { echo "exit code $status instead of $expected: $*"; return 1; }
}
