#!/usr/bin/env bats
# cgroups: v2
# Live checkpoints of containerd's containers, those of Kubernetes among them.

bats_require_minimum_version 1.5.0

load helpers
load workload
load docker_engine
load engine_containers
load podman

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  start_containerd
  make_image | tee "$BATS_FILE_TMPDIR/image.tar" | sha256sum
  ctr -n k8s.io images import "$BATS_FILE_TMPDIR/image.tar"
  ctr -n default images import "$BATS_FILE_TMPDIR/image.tar"
  # The image that Podman and Still find by its id.
  ctr images export "$BATS_FILE_TMPDIR/exported.tar" docker.io/library/still-test:1
  skopeo copy --quiet --insecure-policy "oci-archive:$BATS_FILE_TMPDIR/exported.tar" containers-storage:docker.io/library/still-test:1
}

# A docker-archive of the root file system.
make_image() {
  local directory=$BATS_FILE_TMPDIR/image layer
  mkdir "$directory"
  tar --create --file="$directory/layer.tar" --directory="$ROOTFS" .
  layer=$(sha256sum "$directory/layer.tar" | cut -d' ' -f1)
  jq --null-input --arg layer "sha256:$layer" \
    '{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$layer]}}' >"$directory/config.json"
  echo '[{"Config": "config.json", "RepoTags": ["docker.io/library/still-test:1"], "Layers": ["layer.tar"]}]' >"$directory/manifest.json"
  tar --create --directory="$directory" .
}

teardown_file() {
  stop_engine
  pm rmi docker.io/library/still-test:1
  rmdir /sys/fs/cgroup/{k8s.io,default} 2>/dev/null || true
}

setup() { begin_store; }

teardown() {
  local space id
  for space in k8s.io default; do
    for id in $(ctr -n "$space" containers list --quiet); do
      ctr -n "$space" tasks kill --signal KILL "$id" || true
      eventually ctr -n "$space" containers rm "$id" || true
    done
    rmdir "/sys/fs/cgroup/$space" 2>/dev/null || true
  done
  finish_store
}

# start NAMESPACE ID [FLAG...] -- COMMAND...: what it writes goes to $WORK/ID.log.
start() {
  local space=$1 id=$2 flags=()
  shift 2
  while [[ $1 != -- ]]; do flags+=("$1") && shift; done
  shift
  ctr -n "$space" run --detach --cpu-shares 0 --log-uri "file://$WORK/$id.log" "${flags[@]}" \
    docker.io/library/still-test:1 "$id" "$@" 3>&-
}

written() { cat "$WORK/$1.log"; }

state_of_containerd() {
  ctr -n "$1" containers info "$2"
  ctr -n "$1" tasks list
  find /run/containerd -xdev -type f ! -name '*.log' -exec sha256sum {} + 2>/dev/null | sort
}

@test "nothing of containerd's state is written to" {
  local before
  start default web -- /bin/counter --report 50
  eventually counts_beyond web 0
  before=$(state_of_containerd default web)
  for way in $(memory_ways); do
    checkpoint web --memory-cut="$way"
    is_consistent
    made_by containerd
    still archive verify "$WORK/archive"
  done
  diff <(echo "$before") <(state_of_containerd default web)
  goes_on web
  ! grep INCONSISTENT "$WORK/web.log"
}

@test "restored under another name by Still and by Podman" {
  start default web -- /bin/counter --report 50
  eventually counts_beyond web 0
  ctr tasks exec --exec-id shm web sh -c 'echo there >/dev/shm/file'
  checkpoint web
  is_consistent
  still archive verify "$WORK/archive"
  UNCONFINED=yes copied_by_still
  copied_by_podman
  goes_on web
  still restore --import "$WORK/archive" --name copy --allow-spec
  is there still exec copy cat /dev/shm/file
  still rm --force copy
}

@test "a container of Kubernetes is found by its pod and its name" {
  start k8s.io 0123abcd --label io.kubernetes.pod.name=shop --label io.kubernetes.container.name=web \
    --label io.kubernetes.pod.namespace=default -- /bin/counter --report 50
  eventually counts_beyond 0123abcd 0
  is "containerd k8s.io/0123abcd shop-web running" \
    still ps --engine all --no-trunc --format '{{.Engine}} {{.ID}} {{.Names}} {{.State}}'
  checkpoint shop-web
  [[ $(manifest "$WORK/archive" .container.name) == shop-web ]]
  checkpoint --engine containerd --namespace k8s.io 0123
  checkpoint k8s.io/0123abcd
  goes_on 0123abcd
}

@test "a name in two namespaces is asked about" {
  start default web -- sleep 1000
  start k8s.io web -- sleep 1000
  fails_with "is several containers of containerd's: default/web, k8s.io/web" checkpoint --engine containerd web
  checkpoint --namespace k8s.io web
  checkpoint default/web
  fails_with "no such container" checkpoint --namespace k8s.io nothing
}

@test "a paused container stays paused" {
  start default web -- /bin/counter --report 50
  eventually counts_beyond web 0
  ctr tasks pause web
  checkpoint web
  ctr tasks list | grep "web .*PAUSED"
  ctr tasks resume web
  goes_on web
}

@test "refused before anything stands still" {
  start default web -- sleep 1000
  fails_with 'use "ctr containers checkpoint web"' still checkpoint -e "$WORK/archive" web
  ctr tasks kill --signal KILL web
  eventually bash -c 'ctr tasks list | grep "web .*STOPPED"'
  fails_with "container web is not running" checkpoint web
}
