#!/usr/bin/env bats
# cgroups: v2
# Archives that travel: what Podman has written is restored by Still, and what Still has written by Podman. Podman is the real one,
# with its storage where it is by default, because archives name volumes by their place there. Its cgroups are v2 alone.

load helpers
load podman

setup_file() { make_exchange_images; }
setup() { begin_exchange; }
teardown() { finish_exchange; }

# from_podman RUNTIME KIND COMPRESSION VOLUME: as the table below has it.
from_podman() {
  local live=() volume=()
  [[ $2 == stopped ]] || live=(--leave-running)
  [[ $4 == without ]] || volume=(--volume data:/data)
  start_traveller_of_podman "$1" "${volume[@]}"
  [[ $2 == stopped ]] || hold_still
  pm --runtime "$1" container checkpoint "${live[@]}" --compress "$3" --export "$WORK/travel" travel >/dev/null
  forget_podman
  # Kept by the test's own store, where the container's image is not: it comes from Podman's.
  run --separate-stderr still restore --import "$WORK/travel"
  echo "$output $stderr"
  [[ $status -eq 0 && $stderr == *"no manifest"* && ${#stderr_lines[@]} -eq 1 ]]
  [[ $2 == stopped ]] || still exec travel rm /hold
  has_travelled "$4" still exec travel
}

# Podman copies the files of a live checkpoint when the container runs again: they would be of another time.
hold_still() {
  pm exec travel touch /hold
  eventually pm exec travel test -e /held
}

# from_still RUNTIME KIND COMPRESSION VOLUME
from_still() {
  local live=() volume=()
  [[ $2 == stopped ]] || live=(--leave-running)
  [[ $4 == without ]] || volume=(--volume data:/data)
  start_traveller_of_still "$1" "${volume[@]}"
  still container checkpoint "${live[@]}" --compress "$3" --export "$WORK/travel" travel
  still rm --force travel
  [[ $4 == without ]] || still volume rm data
  pm --runtime "$1" container restore --import "$WORK/travel"
  has_travelled "$4" pm exec travel
  # In the cgroup where Podman looks for them are all of its processes: two of them stay.
  [[ $(wc -l <"/sys/fs/cgroup$(pm inspect --format '{{.State.CgroupPath}}' travel)/cgroup.procs") -ge 3 ]]
  pm logs travel | grep -q '^tick'
  pm stop --time 0 travel
}

for runtime in crun runc; do
  for kind in live stopped; do
    for compression in zstd gzip none; do
      for volume in with without; do
        bats_test_function --description "Still to Podman: $runtime, $kind, $compression, $volume a volume" -- \
          from_still "$runtime" "$kind" "$compression" "$volume"
        bats_test_function --description "Podman to Still: $runtime, $kind, $compression, $volume a volume" -- \
          from_podman "$runtime" "$kind" "$compression" "$volume"
      done
    done
  done
done

# archive_of_podman [FLAG...]: of a container that was made with these, in $WORK/travel; Podman has forgotten it.
archive_of_podman() {
  start_traveller_of_podman crun "$@"
  pm container checkpoint --compress none --export "$WORK/travel" travel >/dev/null
  forget_podman
}

@test "a container of Podman's goes on under another name, and from there by Still's archives" {
  archive_of_podman --volume data:/data
  still restore -i "$WORK/travel" --name second --rename-volume data=data2
  has_travelled with still exec second
  still checkpoint -R -e "$WORK/again" second
  [[ $(tar -xOf "$WORK/again" still.json | jq .consistent) == true ]]
  still restore -i "$WORK/again" --name third --rename-volume data2=data3 --require-certificate
  has_travelled with still exec third
  still checkpoint third
  still restore third
  has_travelled with still exec third
  # Its file system has all that it had; only what Podman makes for each container is Still's now.
  [[ $(still exec third cat /proc/1/cgroup) == *0::/* ]]
  still exec third test -f /run/.containerenv
  still exec third ip address show lo | grep -q 127.0.0.1
}

@test "--require-certificate refuses what Podman has written" {
  archive_of_podman
  fails_with "no manifest" still restore -i "$WORK/travel" --require-certificate
  [[ -z $(still ps -aq) ]]
  still archive verify "$WORK/travel" | grep "no manifest"
}

@test "the image of a container of Podman's: from Still's store, from Podman's, named, a directory, or nowhere" {
  archive_of_podman
  load_exchange_image
  [[ $(still image ls -q | wc -l) -eq 1 ]]
  still restore -i "$WORK/travel"
  [[ $(still image ls -q | wc -l) -eq 1 ]]
  has_travelled without still exec travel
  still rm -f travel
  still image rm "$EXCHANGE_IMAGE"

  still restore -i "$WORK/travel"
  [[ $(still image ls -q --no-trunc) == *"$(image_of_podman)" ]]
  still rm -f travel
  still image rm "$(image_of_podman)"

  still restore -i "$WORK/travel" --image "oci:$BATS_FILE_TMPDIR/layout"
  still rm -f travel
  still image rm "$(image_of_podman)"

  still restore -i "$WORK/travel" --rootfs "$BATS_FILE_TMPDIR/rootfs"
  has_travelled without still exec travel
  still rm -f travel

  fails_with "--rootfs and --image" still restore -i "$WORK/travel" --rootfs / --image "$EXCHANGE_IMAGE"
  fails_with "no/such" still restore -i "$WORK/travel" --image no/such
  "$system_tests/forge" "$WORK/travel" "$WORK/forged" set rootfsImageID "\"$(printf '0%.0s' {1..64})\""
  fails_with "nor in that of Podman" still restore -i "$WORK/forged"
  "$system_tests/forge" "$WORK/travel" "$WORK/forged" set rootfsImageID "\"[x]/../$WORK\""
  fails_with "nor in that of Podman" still restore -i "$WORK/forged"
  nothing_restored
}

@test "an archive of Podman's gets no more than it is granted" {
  mkdir "$WORK/source"
  archive_of_podman --volume "$WORK/source:/bound:ro" --cap-add NET_ADMIN
  run still restore -i "$WORK/travel"
  echo "$output"
  [[ $status -eq 125 && $output == *"-v $WORK/source:/bound:ro"* && $output == *"--cap-add CAP_NET_ADMIN"* ]]
  fails_with "--cap-add CAP_NET_ADMIN" still restore -i "$WORK/travel" -v "$WORK/source:/bound:ro"
  nothing_restored
  still restore -i "$WORK/travel" -v "$WORK/source:/bound:ro" --cap-add NET_ADMIN
  has_travelled without still exec travel
  still rm -f travel

  # Said by one of the two and not by the other.
  "$system_tests/forge" "$WORK/travel" "$WORK/forged" set spec.mounts "[]"
  fails_with "spec.dump" still restore -i "$WORK/forged" --allow-spec
  "$system_tests/forge" "$WORK/travel" "$WORK/forged" set privileged true
  fails_with "all privileges" still restore -i "$WORK/forged" --allow-spec
  nothing_restored
}

@test "a network of Podman's is given up by whom it belongs to" {
  archive_of_podman --network bridge
  fails_with "--network none" still restore -i "$WORK/travel" --allow-spec
  nothing_restored
  still restore -i "$WORK/travel" --network none
  has_travelled without still exec travel
  is lo still exec travel ls /sys/class/net
}

@test "limits that Still does not set are named" {
  archive_of_podman
  "$system_tests/forge" "$WORK/travel" "$WORK/forged" set spec.linux.resources '{"cpu": {"shares": 512}, "devices": [{"allow": false, "access": "rwm"}]}'
  run --separate-stderr still restore -i "$WORK/forged"
  [[ $status -eq 0 && $stderr == *"does not get here: cpu/shares"* ]]
}

@test "a container of Still's goes on with Podman under another name, and with Still again" {
  local runtime
  for runtime in crun runc; do
    start_traveller_of_still "$runtime" --volume data:/data
    still checkpoint -R -e "$WORK/travel" travel
    still rm -f travel
    still volume rm data
    pm --runtime "$runtime" container restore --import "$WORK/travel" --name second
    has_travelled with pm exec second
    # Beside it the original, from the same archive.
    still restore -i "$WORK/travel" --require-certificate
    has_travelled with still exec travel
    still checkpoint travel
    still restore travel
    has_travelled with still exec travel
    pm pause second
    pm unpause second
    has_travelled with pm exec second
    pm restart --time 0 second
    eventually counts pm exec second
    still rm -f travel
    still volume rm data
    forget_podman
  done
}

@test "the loopback device of a container that has travelled to Podman" {
  start_traveller_of_still crun
  still checkpoint -e "$WORK/travel" travel
  pm container restore --import "$WORK/travel"
  pm exec travel ip address show lo | grep -q 127.0.0.1
}

@test "containers of Still's on the host's network, and read-only with limits of processes" {
  start_traveller_of_still crun --network host
  still checkpoint -e "$WORK/travel" travel
  pm container restore --import "$WORK/travel"
  has_travelled without pm exec travel
  forget_podman
  still rm travel

  still run -d --name travel --read-only --tmpfs /scratch --ulimit nofile=100:200 --cap-drop CHOWN "$EXCHANGE_IMAGE" \
    sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/scratch/count; sleep 0.02; done' >/dev/null
  eventually still exec travel test -s /scratch/count
  still checkpoint -e "$WORK/travel" travel
  pm container restore --import "$WORK/travel"
  local before
  before=$(pm exec travel cat /scratch/count)
  # shellcheck disable=SC2016
  eventually pm exec travel sh -c '[ $(cat /scratch/count) -gt '"$before"' ]'
  is 200 pm exec travel sh -c 'ulimit -Hn'
}

@test "a container of Still's without an image is none that Podman can restore" {
  still run -d --name travel --rootfs "$BATS_FILE_TMPDIR/rootfs" sh -c "$TRAVELLER" >/dev/null
  eventually counts still exec travel
  still checkpoint -e "$WORK/travel" travel
  ends_with 125 pm container restore --import "$WORK/travel"
  [[ -z $(pm ps --all --quiet) ]]
}
