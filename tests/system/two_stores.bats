#!/usr/bin/env bats
# Two stores on one machine, with containers of one id: what is done to one does not reach the other.

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() {
  begin_store
  stranger=
}
teardown() {
  [[ -z $stranger ]] || { kill "$stranger"; wait "$stranger"; rmdir "$DIRECTORY"; } || true
  in_other rm --force --all >/dev/null || true
  finish_store
}

in_other() { still --root "$WORK/other" "$@"; }
alive_in_other() {
  local before
  before=$(in_other exec web cat /count)
  eventually other_counts_beyond "$before"
}
other_counts_beyond() { [[ $(in_other exec web cat /count) -gt $1 ]]; }
status_in_other() { in_other inspect --format '{{.State.Status}}' web; }

copy_and_original_do_not_meet() {
  start_ticker web --runtime "$RUNTIME"
  still checkpoint -R -e "$WORK/archive" web
  in_other restore --import "$WORK/archive" --allow-spec
  [[ $(still ps -q --no-trunc) == "$(in_other ps -q --no-trunc)" ]]
  [[ $(state web CgroupPath) != "$(in_other inspect --format '{{.State.CgroupPath}}' web)" ]]
  alive web
  alive_in_other

  still pause web >/dev/null
  alive_in_other
  [[ $(status_in_other) == running ]]
  still unpause web >/dev/null
  # One is checkpointed while the other runs, and restored.
  in_other checkpoint -R -e "$WORK/second" web
  alive web
  still checkpoint web
  alive_in_other
  still restore web
  alive web

  in_other rm --force web >/dev/null
  alive web
  in_other restore --import "$WORK/second" --allow-spec
  still rm --force web >/dev/null
  alive_in_other
  in_other rm --force web >/dev/null
  rm "$WORK/archive" "$WORK/second"
}
@test "a copy under its own id in a second store lives beside the original" {
  for_each_runtime copy_and_original_do_not_meet
}

# stranger_in PATH: a process that lives in a cgroup, in the hierarchy that freezes; its pid in $stranger.
stranger_in() {
  local hierarchy=/sys/fs/cgroup
  [[ $(cgroup_version) == v2 ]] || hierarchy=/sys/fs/cgroup/freezer
  DIRECTORY=$hierarchy$1
  mkdir -p "$DIRECTORY"
  sleep 1000 3>&- &
  stranger=$!
  echo "$stranger" >"$DIRECTORY/cgroup.procs"
}

@test "a cgroup in which somebody lives is refused, and he is not harmed" {
  local path
  start_ticker web
  path=$(state web CgroupPath)
  still checkpoint -R -e "$WORK/archive" web
  still checkpoint web
  stranger_in "$path"
  fails_with "is in use" still restore web
  fails_with "is in use" still start --discard-checkpoint web
  still rm web
  fails_with "is in use" still restore --import "$WORK/archive" --allow-spec
  kill -0 "$stranger"
  nothing_made
  kill "$stranger"
  wait "$stranger" || true
  rmdir "$DIRECTORY"
  stranger=
  still restore --import "$WORK/archive" --allow-spec
  alive web
}
