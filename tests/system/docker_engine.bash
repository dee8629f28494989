# shellcheck shell=bash
# A Docker engine of a test file's own, with a containerd of its own. Loaded after helpers. Nothing of the machine's is
# used: all of it is below $ENGINE and /run, which are the environment's.

# start_containerd: sets $CONTAINERD to its process.
start_containerd() {
  export ENGINE=$BATS_FILE_TMPDIR/engine
  mkdir -p "$ENGINE"
  cat >"$ENGINE/containerd.toml" <<TOML
version = 2
root = "$ENGINE/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
TOML
  containerd --config "$ENGINE/containerd.toml" >"$ENGINE/containerd.log" 2>&1 3>&- &
  CONTAINERD=$!
  export CONTAINERD
  eventually ctr version
}

# start_docker: the engine, its containers below /dk; sets $DOCKERD to its process.
start_docker() {
  start_containerd
  mkdir -p /sys/fs/cgroup/dk/docker
  cat >"$ENGINE/docker.json" <<JSON
{"experimental": true, "iptables": false, "ip6tables": false, "bridge": "none", "storage-driver": "overlay2",
 "cgroup-parent": "/dk/docker", "exec-opts": ["native.cgroupdriver=cgroupfs"], "data-root": "$ENGINE/docker"}
JSON
  dockerd --config-file "$ENGINE/docker.json" --containerd /run/containerd/containerd.sock \
    >"$ENGINE/docker.log" 2>&1 3>&- &
  DOCKERD=$!
  export DOCKERD
  eventually docker info
}

# stop_engine: containers have been removed.
stop_engine() {
  local process
  for process in ${DOCKERD:-} "$CONTAINERD"; do
    kill "$process"
    eventually has_ended "$process"
  done
  umount --recursive --lazy "$ENGINE/docker" 2>/dev/null || true
  rmdir /sys/fs/cgroup/dk/{docker,} 2>/dev/null || true
}
has_ended() { [[ ! -e /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status") == Z ]]; }
