# shellcheck shell=bash
# For the checkpoint and restore tests: containers that count, and questions about them and their
# archives. Loaded after helpers.bash and workload.bash.

# start_ticker NAME [FLAG...]: a container that counts, in memory, in a file of the root file
# system, and on its standard output.
start_ticker() {
  local name=$1
  shift
  still run -d --name "$name" "$@" --rootfs "$ROOTFS" /bin/sh -c '
    i=0
    while :; do
      i=$((i + 1)); echo "$i" >/tmp/count; mv /tmp/count /count; echo "tick $i"; sleep 0.02
    done'
  eventually container_counts "$name"
}

count() { still exec "$1" cat /count; }
counts_beyond() { [[ $(count "$1") -gt $2 ]]; }
container_counts() { counts_beyond "$1" 0; }

# Whether the counter moves on.
alive() {
  local before
  before=$(count "$1")
  eventually counts_beyond "$1" "$before"
}

# The outer archive's members, and one of them.
members() { tar -tf "$1"; }
member() { tar -xOf "$1" "$2"; }

no_staging_left() { [[ -z $(ls -A "$STILL_ROOT/staging") ]]; }

# No container, volume or mount, nor what would become one.
nothing_made() {
  [[ -z $(still ps -aq) && -z $(still volume ls -q) && -z $(ls -A "$STILL_ROOT/staging") ]]
  [[ -z $(ls -A "$STILL_ROOT/containers") ]]
  ! grep -q " $STILL_ROOT" /proc/self/mountinfo
}

# The container's cgroup in the hierarchy that it is frozen by.
own_cgroup() {
  local hierarchy=/sys/fs/cgroup
  [[ $(cgroup_version) == v2 ]] || hierarchy=/sys/fs/cgroup/freezer
  find "$hierarchy" -type d -name "*$(still inspect --format '{{.Id}}' "$1")*" | head -1
}
