# shellcheck shell=bash
# For the tests with a real Podman: its command, containers that travel between it and Still, and that nothing of it is left.
# Loaded after helpers.

bats_require_minimum_version 1.5.0

readonly EXCHANGE_IMAGE=localhost/exchange:latest

pm() {
  timeout 120 podman --cgroup-manager cgroupfs --events-backend file "$@"
}

# An image in Podman's storage, and the same (with the same id) as an OCI layout and as a directory.
make_exchange_images() {
  [[ $(cgroup_version) == v2 ]] || return 0
  local root=$BATS_FILE_TMPDIR/rootfs
  cp -a "$("$system_tests/rootfs/make" busybox)" "$root"
  echo old | tee "$root"/{removed,changed,was-file} >/dev/null
  mkdir -p "$root"/{remade,was-directory}/below
  echo old | tee "$root"/{remade,was-directory}{,/below}/{old,kept} >/dev/null
  tar --create --directory "$root" --file "$BATS_FILE_TMPDIR/image.tar" .
  pm import --quiet "$BATS_FILE_TMPDIR/image.tar" "$EXCHANGE_IMAGE" >/dev/null
  skopeo copy --quiet --insecure-policy "containers-storage:$EXCHANGE_IMAGE" "oci:$BATS_FILE_TMPDIR/layout:$EXCHANGE_IMAGE"
}

load_exchange_image() { still load -i "$BATS_FILE_TMPDIR/layout" >/dev/null; }
image_of_podman() { pm image inspect --format '{{.Id}}' "$EXCHANGE_IMAGE"; }

begin_exchange() {
  only_v2 "Podman 5 has no cgroups v1"
  begin_store
}

finish_exchange() {
  [[ -n ${STILL_ROOT:-} ]] || return 0
  forget_podman
  remove_podman_cgroups
  # Podman keeps it for networks that there are no more.
  ! mountpoint --quiet /run/netns || umount /run/netns
  finish_store
}

# All containers and volumes of Podman.
forget_podman() {
  pm rm --force --time 0 --all >/dev/null
  pm volume prune --force >/dev/null
}

remove_podman_cgroups() {
  [[ -d /sys/fs/cgroup/libpod_parent ]] || return 0
  find /sys/fs/cgroup/libpod_parent -depth -type d -exec rmdir {} +
}

nothing_restored() { [[ -z $(still ps -aq) && -z $(still volume ls -q) && -z $(ls -A "$STILL_ROOT/staging") ]]; }

# What the container "travel" does: it changes the root file system, and counts in memory and in files. Of Podman's containers only
# in the ways that Podman 5.4.2 exports: it leaves changed files out that the host has not, and directories that were
# removed and made anew, and fails with a file that became a directory. As long as there is a file /hold it writes nothing.
# shellcheck disable=SC2016
readonly TRAVELLER='
  rm -r /removed
  echo new >/added; echo "#new" >>/etc/passwd
  if [ $container = still ]; then
    rm -r /changed /remade /was-directory /was-file
    mkdir -p /remade/below /was-file
    for path in /changed /was-directory /remade/kept /remade/below/new /was-file/new; do echo new >$path; done
  fi
  (while :; do sleep 1000; done) &
  i=0
  while :; do
    if [ -e /hold ]; then
      [ -e /held ] || : >/held
      sleep 0.02
      continue
    fi
    i=$((i + 1))
    for place in / /data/ /dev/shm/; do [ ! -d $place ] || { echo $i >${place}next; mv ${place}next ${place}count; }; done
    echo "tick $i"; sleep 0.02
  done'

start_traveller_of_podman() {
  local runtime=$1
  shift
  [[ " $* " == *" --network "* ]] || set -- --network none "$@"
  pm --runtime "$runtime" run --detach --name travel --pids-limit 0 "$@" "$EXCHANGE_IMAGE" sh -c "$TRAVELLER" >/dev/null
  eventually counts pm exec travel
}

# From the same image, in the test's own store.
start_traveller_of_still() {
  local runtime=$1
  shift
  still image inspect "$EXCHANGE_IMAGE" >/dev/null 2>&1 || load_exchange_image
  still run --detach --name travel --runtime "$runtime" "$@" "$EXCHANGE_IMAGE" sh -c "$TRAVELLER" >/dev/null
  eventually counts still exec travel
}

# counts EXEC...: whether the program that runs commands in the container finds it at work.
counts() { [[ $("$@" cat /count) -gt 3 ]]; }
count_moves() { [[ $("${@:2}" cat /count) -gt $1 ]]; }

# has_travelled with|without EXEC...: the container has all that it had, and goes on from there.
has_travelled() {
  local volume=$1 before
  shift
  before=$("$@" cat /count)
  [[ $before -gt 3 ]]
  eventually count_moves "$before" "$@"
  [[ $("$@" cat /dev/shm/count) -ge $before ]]
  [[ $volume == without || $("$@" cat /data/count) -ge $before ]]
  is new "$@" cat /added
  is "#new" "$@" tail -n 1 /etc/passwd
  ends_with 1 "$@" test -e /removed
  "$@" ps | grep -q 'sleep 1000'
  ! "$@" sh -c '[ "$container" = still ]' || has_changed_in_all_ways "$@"
}

has_changed_in_all_ways() {
  is "new new new new new" "$@" sh -c 'echo $(cat /changed /was-directory /remade/kept /remade/below/new /was-file/new)'
  is "below kept" "$@" sh -c 'echo $(ls /remade)'
  is "new" "$@" ls /remade/below
}
