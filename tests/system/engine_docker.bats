#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of Docker's containers, which go on as if nothing had happened.

bats_require_minimum_version 1.5.0

load helpers
load workload
load docker_engine
load engine_containers
load podman

CLIENT=docker

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  start_docker
  tar --create --directory="$ROOTFS" . | docker import - still-test:1
  skopeo copy --quiet --insecure-policy docker-daemon:still-test:1 containers-storage:docker.io/library/still-test:1
}

teardown_file() {
  stop_engine
  pm rmi docker.io/library/still-test:1
}

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
written() { docker logs "$1" 2>/dev/null; }
cgroup_of() { echo "/dk/docker/$(docker inspect --format '{{.Id}}' "$1")"; }

# What Docker says, and all that it, containerd and runc have written of the container.
state_of_docker() {
  docker inspect web
  docker ps --all --no-trunc --format '{{.ID}} {{.State}} {{.Names}}'
  ctr -n moby tasks list
  find /run/docker /run/containerd "$ENGINE"/docker/containers -type f ! -name '*.log' -exec sha256sum {} + 2>/dev/null | sort
}

bats_test_function --description "nothing of Docker's state is written to" -- nothing_is_written state_of_docker
bats_test_function --description "sharers of a volume stand still, too" -- sharers_stand_still
bats_test_function --description "a paused container stays paused" -- stays_paused
# While it is frozen runc takes it for paused, and refuses to pause it.
bats_test_function --description "a container that Docker pauses meanwhile is paused, and has no checkpoint" \
  -- paused_meanwhile thawed

bats_test_function --description "restored under another name by Still and by Podman" -- restored_by_still_and_podman

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
    "$system_tests/rename-cgroup" "$WORK/members/checkpoint" "/libpod_parent/libpod-$id" "/dk/docker/$id"
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
  fails_with ', docker, containerd); "still ps --engine all"' checkpoint nothing
  fails_with "docker's engine is not on this machine: tcp://192.0.2.1:2375" \
    env DOCKER_HOST=tcp://192.0.2.1:2375 still checkpoint -R -e "$WORK/archive" --engine docker web
  docker stop --time 0 web
  fails_with "container web is not running" checkpoint web
}

@test "an engine that does not answer is said" {
  fails_with "docker: Cannot connect to the Docker daemon" \
    env DOCKER_HOST=unix:///run/nobody.sock still checkpoint -R -e "$WORK/archive" --engine docker web
}
