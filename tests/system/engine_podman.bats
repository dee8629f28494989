#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of Podman's containers, which go on as if nothing had happened.

bats_require_minimum_version 1.5.0

load helpers
load workload
load podman_containers

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  use_podman "$ROOTFS"
}

teardown_file() { leave_podman; }

setup() {
  begin_podman
  begin_store
}

teardown() {
  finish_podman
  finish_store
}

# Restored under its own name by Podman, each copy counts on, sees that memory and files go together, and is the next
# original.
copies_of_copies_count() {
  local round
  RUNTIME=$1
  start_counter web
  for round in {1..10}; do
    checkpoint web --memory-cut="$(memory_way "$round")"
    is_consistent
    made_by podman
    goes_on web
    podman rm --force --time 0 web
    podman volume rm data
    in_podman --runtime "$RUNTIME" container restore --import "$WORK/archive" 3>&-
    goes_on web
  done
  verdict web
}
for runtime in crun runc; do
  bats_test_function --description "Podman restores copies of copies, and they are consistent, $runtime" \
    -- copies_of_copies_count "$runtime"
done

# Beside the original, from the image in Podman's storage.
copies_by_both_engines() {
  RUNTIME=$1 start web -- /bin/counter --report 50
  eventually counts_beyond web 0
  checkpoint web
  still archive verify "$WORK/archive"
  [[ $(tar --list --file "$WORK/archive") != *ifaddr* ]] # CRIU has not called ip for it
  in_podman --runtime "$1" container restore --import "$WORK/archive" --name copy 3>&-
  goes_on copy
  [[ $1 == runc ]] || podman exec copy ip address | grep "inet 127.0.0.1"
  verdict copy
  still restore --import "$WORK/archive" --name copy
  eventually says copy steps=
  still stop --time 60 copy
  container_ends_with 0 copy
  goes_on web
  verdict web
}
for runtime in crun runc; do
  bats_test_function --description "restored under another name by Podman and by Still, $runtime" \
    -- copies_by_both_engines "$runtime"
done

podman_sees_nothing() {
  RUNTIME=$1 nothing_is_written state_of_podman web
  podman rm web
}
for runtime in crun runc; do
  bats_test_function --description "nothing of Podman's state is written to, $runtime" -- podman_sees_nothing "$runtime"
done

bats_test_function --description "sharers of a volume stand still, too" -- sharers_stand_still
bats_test_function --description "a paused container stays paused" -- stays_paused
# The freeze of Still and that of Podman are one.
bats_test_function --description "a container that Podman pauses meanwhile is paused, and has no checkpoint" \
  -- paused_meanwhile frozen

@test "the archive has what Podman's own has" {
  start_counter web
  checkpoint web
  podman container checkpoint --leave-running --export "$WORK/theirs" web
  members() { tar --list --file "$1" | grep -v '^checkpoint/' | sort; }
  comm -13 <(members "$WORK/archive") <(members "$WORK/theirs") | tee "$WORK/missing"
  [[ ! -s $WORK/missing ]]
  dump() { tar --extract --to-stdout --file "$1" config.dump | jq --sort-keys .; }
  diff <(dump "$WORK/archive") <(dump "$WORK/theirs")
}

@test "a container that Podman ends meanwhile has no checkpoint" {
  start_counter web
  run at prepared "podman kill web; podman wait web" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" web
  echo "$output"
  [[ $status -eq 125 && ! -e $WORK/archive ]]
  [[ $(still ps 2>&1 >/dev/null) == "" ]]
  podman start web
  goes_on web
}

@test "processes of exec go on, and are left out" {
  start_counter web
  podman exec --detach web sleep 1000
  eventually pgrep -x sleep
  checkpoint web 2>"$WORK/said"
  grep "brought into the container are not in the checkpoint" "$WORK/said"
  pgrep -x sleep
  podman exec web true
}

@test "a container in a pod" {
  in_podman pod create --name pod --infra=false
  start web --pod pod -- /bin/counter --report 50
  eventually counts_beyond web 0
  checkpoint web
  is_consistent
  goes_on web
}

@test "a name of two engines is asked about" {
  use_busybox
  start_counter web
  still run -d --name web --rootfs "$ROOTFS" sleep 1000
  fails_with 'container of several engines: still (' checkpoint web
  checkpoint --engine podman web
  made_by podman
  checkpoint --engine still web
  made_by still
  checkpoint "$(podman inspect --format '{{.Id}}' web | cut -c1-12)"
  made_by podman
}

@test "what cannot be had is refused before anything stands still" {
  start web -- sleep 1000
  fails_with 'use "podman container checkpoint web"' still checkpoint -e "$WORK/archive" web
  fails_with "add --export FILE" still checkpoint -R web
  fails_with 'no such container: "nothing" (asked: still, podman)' checkpoint nothing
  fails_with "no such container" checkpoint --engine podman nothing
  fails_with "podman is not installed here" env PATH="$(dirname "$(command -v still)")" still checkpoint -R --engine podman web
  start shared --pid host -- sleep 1000
  fails_with "has no process namespace of its own" checkpoint shared
  mv /run/crun "$WORK/crun"
  fails_with "crun knows nothing of the container" checkpoint web
  mv "$WORK/crun" /run/crun
  podman stop --time 0 web
  fails_with "container web is not running; start it first, by podman" checkpoint web
}

@test "an engine that does not answer is said" {
  start web -- sleep 1000
  mkdir "$WORK/bin"
  printf '#!/bin/sh\necho "Error: cannot connect" >&2; exit 125\n' >"$WORK/bin/podman"
  chmod +x "$WORK/bin/podman"
  fails_with "podman: Error: cannot connect" env PATH="$WORK/bin:$PATH" still checkpoint -R --engine podman web
}

@test "containers of all engines are listed and shown" {
  use_busybox
  start_counter web
  start pause -- sleep 1000
  podman pause pause
  still run -d --name own --rootfs "$ROOTFS" sleep 1000
  is $'podman pause paused\npodman web running\nstill own running' \
    bash -c "still ps --engine all --format '{{.Engine}} {{.Names}} {{.State}}' | LC_ALL=C sort"
  still ps --engine all | head -n 1 | grep "CONTAINER ID *ENGINE *IMAGE"
  is own still ps --format '{{.Names}}'
  fails_with "leave --all" still ps --engine all --all
  is "podman rootfs volume:data devshm" \
    still inspect --format '{{.Engine}}{{range .Trees}} {{.Name}}{{end}}' web
  is web still inspect --engine podman --format '{{.Name}}' web
  ends_with 125 still inspect --engine podman own
}
