# shellcheck shell=bash
# For the tests with programs under load: root file systems with our programs in them, live
# checkpoints, and what the programs say. Loaded after helpers, whose stores it relies on.

: "${STILL_WORKLOAD_DIR:=$(dirname "$(command -v still || echo .)")/../tests/workload}"
readonly workload_source=$system_tests/../workload

# make_rootfs busybox|redis|postgres DIR: a root file system with the workload's programs, too.
make_rootfs() {
  local made
  made=$("$system_tests/rootfs/make" "$1")
  cp --archive "$made" "$2"
  cp "$STILL_WORKLOAD_DIR"/{adversary,calls,closer,connections,counter,deleted,holder,mappings,names,objects,odd,pause_probe,sequences} "$workload_source"/*-under-load "$2/bin/"
  cp "$STILL_WORKLOAD_DIR/not_root.so" "$2/lib/"
}

# Prints a line that shows up among the results of the tests.
note() { printf '# %s\n' "$*" >&3; }

# live_checkpoint NAME FILE [FLAG...]: takes one, and has its manifest say that it is consistent.
live_checkpoint() {
  local name=$1 file=$2
  shift 2
  still container checkpoint --leave-running --export "$file" "$@" "$name"
  [[ $(manifest "$file" .consistent) == true ]] || {
    manifest "$file" .
    return 1
  }
}

manifest() { tar --extract --to-stdout --file="$1" still.json | jq --raw-output "$2"; }

# restore_copy FILE NAME VOLUME [FLAG...]: under another name, its volume too, beside the original.
restore_copy() {
  local file=$1 name=$2 volume=$3
  shift 3
  still container restore --import "$file" --name "$name" --rename-volume "$volume=$name" "$@"
}

remove_copy() {
  still rm --force "$1"
  still volume rm "$1"
}

# copy_without_library PROGRAM DIRECTORY, which is made: with all that belongs to it but its library for CRIU.
copy_without_library() {
  mkdir "$2"
  cp "$1" "$(dirname "$1")"/still_{lazy_pages,question,set_affinity} "$2/"
}

is_running() { [[ $(still inspect --format '{{.State.Running}}' "$1") == true ]]; }

# container_ends_with CODE NAME: waits for the end of a container.
container_ends_with() {
  local code
  code=$(timeout 120 still wait "$2")
  [[ $code == "$1" ]] || {
    echo "$2 ended with $code instead of $1, its last words:"
    still logs "$2" 2>&1 | tail -n 5
    return 1
  }
}

# --- the adversary ----------------------------------------------------------------------------------

# leave_adversary ROOTFS: what the adversary begins with is in the root file system already. So its
# names are in a lower layer of the containers, each removal makes a whiteout, and each directory in
# place of a file or of another directory an opaque one.
leave_adversary() {
  "$STILL_WORKLOAD_DIR/adversary" --only-begin --root "$1/adversary" --volume "$BATS_FILE_TMPDIR/unused" >/dev/null
  rm -r "$BATS_FILE_TMPDIR/unused"
}

# start_adversary RUNTIME [FLAG...]: a container "adversary" with the volume "data". Without flags it
# has fewer files than by itself, so that a round is short, each changed about as often.
start_adversary() {
  local runtime=$1
  shift
  [[ $# -gt 0 ]] || set -- --files 24 --pause 8000
  still run -d --name adversary --runtime "$runtime" --network none -v data:/data --rootfs "$ROOTFS" \
    /bin/adversary --report 100 "$@"
  eventually attacks_on adversary 0
}

# The last report, reduced to the number of steps of the slowest lane.
attacks() { still logs "$1" 2>/dev/null | sed -n 's/.* slowest=\([0-9]*\)$/\1/p' | tail -n 1; }
attacks_on() { [[ $(attacks "$1") -gt $2 ]]; }

# What is copied before the freeze does not care for the cgroup's version: on v1 it is left out where all ways are tried.
memory_ways() { echo fork stock; [[ $(cgroup_version) == v1 ]] || echo protect; }

# memory_way ROUND: the ways to cut the memory in turn, or STILL_TEST_MEMORY_CUT.
memory_way() {
  local ways=(protect fork stock)
  echo "${STILL_TEST_MEMORY_CUT:-${ways[$1 % 3]}}"
}

# adversary_round [PROGRAM [FLAG...]]: a live checkpoint of "adversary" into the container "copy", which runs
# on for a while, compares everything once more when it is stopped, and has ended with its verdict.
adversary_round() {
  local program=${1:-still}
  "$program" container checkpoint --leave-running --export "$WORK/archive" "${@:2}" adversary
  [[ $program != still || $(manifest "$WORK/archive" .consistent) == true ]]
  restore_copy "$WORK/archive" copy data
  sleep 0.5
  still stop --time 60 copy || true
}

# What an adversary found, if anything.
findings() { still logs "$1" 2>&1 | grep -E 'INCONSISTENT|failed' || true; }
