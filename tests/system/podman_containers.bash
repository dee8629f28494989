# shellcheck shell=bash
# Containers of Podman's, as it is called in the environment. Loaded after helpers and workload.

load "$BATS_TEST_DIRNAME/../system/engine_containers"

# shellcheck disable=SC2034 # the tests that all engines have in common call it
CLIENT=podman

# use_podman ROOTFS: an image of that directory, localhost/still-test:1, for all tests of a file.
use_podman() { tar --create --directory="$1" . | podman import --quiet - localhost/still-test:1; }

# Everything of Podman's goes.
leave_podman() {
  podman rm --force --all --time 0
  podman volume prune --force
  podman rmi --force localhost/still-test:1
  rmdir /sys/fs/cgroup/libpod_parent/{conmon,} 2>/dev/null || true
}

# What Podman makes once is no test's.
begin_podman() {
  podman info >/dev/null
  mkdir -p /sys/fs/cgroup/libpod_parent/conmon
}
finish_podman() {
  podman pod rm --force --all --time 0
  podman rm --force --all --time 0
  podman volume prune --force
}

in_podman() { podman --cgroup-manager cgroupfs --events-backend file "$@"; }

# start NAME [FLAG...] -- COMMAND...
start() {
  local name=$1 flags=()
  shift
  while [[ $1 != -- ]]; do flags+=("$1") && shift; done
  shift
  in_podman --runtime "${RUNTIME:-crun}" run --detach --name "$name" --network none --pids-limit 0 "${flags[@]}" \
    localhost/still-test:1 "$@" 3>&-
}
written() { podman logs "$1" 2>/dev/null; }
cgroup_of() { podman inspect --format '{{.State.CgroupPath}}' "$1"; }

# All of its database, and what the runtime knows.
state_of_podman() {
  python3 -c 'import sqlite3
database = sqlite3.connect("file:/var/lib/containers/storage/db.sql?mode=ro", uri=True)
for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = ?", ("table",)).fetchall():
    for row in database.execute(f"SELECT * FROM {table}"): print(table, row)'
  podman inspect "$@"
  find /run/crun /run/runc -type f -exec sha256sum {} + 2>/dev/null | sort
}
