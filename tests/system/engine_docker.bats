#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of Docker's containers, which go on as if nothing had happened.

bats_require_minimum_version 1.5.0

load helpers
load workload
load docker_engine

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  start_docker
  tar --create --directory="$ROOTFS" . | docker import - still-test:1
}

teardown_file() { stop_engine; }

setup() { begin_store; }

teardown() {
  # shellcheck disable=SC2046
  docker rm --force --volumes $(docker ps --all --quiet) || true
  docker volume prune --all --force
  finish_store
}

# start NAME [FLAG...] -- COMMAND...
start() {
  local name=$1 flags=()
  shift
  while [[ $1 != -- ]]; do flags+=("$1") && shift; done
  shift
  docker run --detach --name "$name" --network none "${flags[@]}" still-test:1 "$@" 3>&-
}
start_counter() {
  start "$@" -v data:/data -- /bin/counter --report 50
  eventually counts_beyond "$1" 0
}

checkpoint() { still checkpoint --leave-running --export "$WORK/archive" "$@"; }
counted() { docker logs "$1" 2>/dev/null | sed -n 's/.* steps=\([0-9]*\).*/\1/p' | tail -n 1; }
counts_beyond() { [[ $(counted "$1") -gt $2 ]]; }
goes_on() { eventually counts_beyond "$1" "$(counted "$1")"; }
verdict() {
  docker stop --time 60 "$1"
  [[ $(docker inspect --format '{{.State.ExitCode}}' "$1") == 0 ]] || { docker logs "$1" | tail; return 1; }
}

# What Docker says, and all that it, containerd and runc have written of the container.
state_of_docker() {
  docker inspect "$@"
  docker ps --all --no-trunc --format '{{.ID}} {{.State}} {{.Names}}'
  ctr -n moby tasks list
  find /run/docker /run/containerd "$ENGINE"/docker/containers -type f ! -name '*.log' -exec sha256sum {} + 2>/dev/null | sort
}

@test "nothing of Docker's state is written to" {
  local before way
  start_counter web
  before=$(state_of_docker web)
  for way in stock fork; do
    checkpoint web --memory-cut="$way"
    [[ $(manifest "$WORK/archive" .consistent) == true && $(manifest "$WORK/archive" .engine) == docker ]]
    still archive verify "$WORK/archive"
  done
  diff <(echo "$before") <(state_of_docker web)
  goes_on web
  docker exec web true
  verdict web
}

# The images are put where Docker keeps the container's own checkpoints, and the files back to where they were.
@test "Docker goes on from the images and the files, and they are consistent" {
  local id upper round
  start_counter web
  id=$(docker inspect --format '{{.Id}}' web)
  upper=$(docker inspect --format '{{.GraphDriver.Data.UpperDir}}' web)
  for round in {1..5}; do
    checkpoint web --memory-cut="$(memory_way "$round")" --compress none
    goes_on web
    docker kill web
    eventually docker_is_done web
    rm -rf "$WORK/members" && mkdir "$WORK/members"
    tar --extract --file="$WORK/archive" --directory="$WORK/members"
    replace "$upper" rootfs-diff.tar
    replace "$(docker volume inspect --format '{{.Mountpoint}}' data)" volumes/data.tar
    mkdir -p "$ENGINE/docker/containers/$id/checkpoints"
    mv "$WORK/members/checkpoint" "$ENGINE/docker/containers/$id/checkpoints/c$round"
    docker start --checkpoint "c$round" web
    goes_on web
  done
  verdict web
}
docker_is_done() { [[ $(docker inspect --format '{{.State.Status}}' "$1") == exited ]]; }
# replace DIRECTORY MEMBER
replace() {
  find "$1" -mindepth 1 -delete
  tar --extract --xattrs --xattrs-include='*' --file="$WORK/members/$2" --directory="$1"
}

@test "sharers of a volume stand still, too" {
  start_counter web
  start other -v data:/shared -- sh -c 'while :; do date >/shared/now; done'
  start reader -v data:/shared:ro -- sleep 1000
  checkpoint --dry-run web | tee "$WORK/plan"
  grep "other writes to the same volume and is frozen too" "$WORK/plan"
  run ! grep reader "$WORK/plan"
  checkpoint web
  [[ $(manifest "$WORK/archive" .consistent) == true ]]
}

@test "a paused container stays paused" {
  start_counter web
  docker pause web
  checkpoint web
  [[ $(docker inspect --format '{{.State.Status}}' web) == paused ]]
  [[ $(manifest "$WORK/archive" .consistent) == true ]]
  docker unpause web
  goes_on web
  verdict web
}

# While it is frozen runc takes it for paused, and refuses to pause it.
@test "a container that Docker pauses meanwhile is paused, and has no checkpoint" {
  start_counter web
  fails_with "docker has paused container web during its checkpoint" \
    at thawed "docker pause web >/dev/null" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" web
  [[ ! -e $WORK/archive ]]
  grep "frozen 1" "/sys/fs/cgroup/dk/docker/$(docker inspect --format '{{.Id}}' web)/cgroup.events"
  docker unpause web
  goes_on web
  verdict web
}

@test "a health check and a shell of exec go on" {
  start_counter web --health-cmd true --health-interval 1s
  docker exec --detach web sleep 1000
  eventually pgrep -x sleep
  checkpoint web
  pgrep -x sleep
  eventually is_healthy web
  goes_on web
}
is_healthy() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$1") == healthy ]]; }

@test "listed, found, refused" {
  start web -- sleep 1000
  is "docker web running" still ps --engine docker --format '{{.Engine}} {{.Names}} {{.State}}'
  # containerd has Docker's in a namespace of Docker's.
  is "docker web" still ps --engine all --format '{{.Engine}} {{.Names}}'
  is "docker rootfs" still inspect --format '{{.Engine}}{{range .Trees}} {{.Name}}{{end}}' web
  fails_with 'use "docker checkpoint create web CHECKPOINT"' still checkpoint -e "$WORK/archive" web
  fails_with 'no such container: "nothing" (asked: still, docker, containerd)' checkpoint nothing
  fails_with "docker's engine is not on this machine: tcp://192.0.2.1:2375" \
    env DOCKER_HOST=tcp://192.0.2.1:2375 still checkpoint -R -e "$WORK/archive" --engine docker web
  docker stop --time 0 web
  fails_with "container web is not running" checkpoint web
}

@test "an engine that does not answer is said" {
  fails_with "docker: Cannot connect to the Docker daemon" \
    env DOCKER_HOST=unix:///run/nobody.sock still checkpoint -R -e "$WORK/archive" --engine docker web
}
