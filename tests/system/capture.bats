#!/usr/bin/env bats
# cgroups: v2
# How the trees of a live checkpoint are captured: by which method on which file system, what
# happens when somebody outside writes to them, and containers that share a volume.

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }

teardown() {
  [[ -z ${writer:-} ]] || kill -KILL "$writer" 2>/dev/null || true
  finish_store
}

# --- file systems ----------------------------------------------------------------------------------

# method FILE TREE: how the archive says that the tree was captured.
method() { manifest "$1" ".trees[] | select(.name == \"$2\") | .method"; }

# What the container has in its root file system and volume, as the restored copy shows it.
content() { still exec "$1" sh -c 'cd / && find data etc/changed linked sub -type f | sort | xargs md5sum; stat -c "%n %a %h" linked sub'; }

fill() {
  still exec "$1" sh -c '
    mkdir -p /sub/dir /data/dir /etc/changed
    for i in 1 2 3 4 5 6 7 8; do
      head -c 100000 /dev/urandom >/sub/dir/$i
      head -c 300000 /dev/urandom >/data/dir/$i
    done
    echo x >/etc/changed/x; ln /sub/dir/1 /linked; chmod 711 /sub
    dd if=/dev/zero of=/data/sparse bs=1 count=1 seek=300M 2>/dev/null'
}

# captured_as TYPE ROOTFS-METHOD VOLUME-METHOD: on this file system, and the copy is the same.
captured_as() {
  store_on "$1"
  start_ticker web -v data:/data
  fill web
  still checkpoint -R --dry-run -e "$WORK/web.tar" web
  live_checkpoint web "$WORK/web.tar"
  [[ $(method "$WORK/web.tar" rootfs) == "$2" ]]
  [[ $(method "$WORK/web.tar" volume:data) == "$3" ]]
  [[ $(method "$WORK/web.tar" devshm) == copy ]]
  no_staging_left
  alive web
  restore_copy "$WORK/web.tar" copy data
  is "$(content web)" content copy
  alive copy
  remove_copy copy
  still rm -f web
  still volume rm data
}

@test "a file system in a volume, which no capture would enter, is refused where it would be lost" {
  still volume create data
  local inner=$STILL_ROOT/volumes/data/_data/inner
  mkdir "$inner"
  mount -t tmpfs tmpfs "$inner"
  start_ticker web -v data:/data
  still exec web sh -c 'echo x >/data/inner/file'
  fails_with "volume:data: inner is a file system of its own" still checkpoint -R -e "$WORK/web.tar" web
  fails_with "volume:data: inner is a file system of its own" still checkpoint -e "$WORK/web.tar" web
  [[ ! -e $WORK/web.tar ]]
  alive web
  still checkpoint -R --ignore-volumes -e "$WORK/web.tar" web
  still rm -f -t 0 web
  umount "$inner"
}

@test "on ext4 trees are copied before, and the difference in the cut" {
  captured_as ext4 pre-copy pre-copy
}

@test "on XFS files are cloned" {
  require "XFS" knows_filesystem xfs
  captured_as xfs clone clone
}

@test "on btrfs files are cloned, and a volume is a subvolume that is snapshot" {
  require "btrfs" knows_filesystem btrfs
  captured_as btrfs clone snapshot
}

@test "a volume on another file system than the store is copied" {
  require "XFS" knows_filesystem xfs
  store_on xfs
  still volume create data
  mount -t tmpfs tmpfs "$STILL_ROOT/volumes/data/_data"
  start_ticker web -v data:/data
  fill web
  live_checkpoint web "$WORK/web.tar"
  [[ $(method "$WORK/web.tar" volume:data) == copy ]]
  [[ $(method "$WORK/web.tar" rootfs) == clone ]]
  restore_copy "$WORK/web.tar" copy data
  is "$(content web)" content copy
  remove_copy copy
  still rm -f web
  umount "$STILL_ROOT/volumes/data/_data"
}

@test "nothing is looked at twice: an idle tree changes nothing in the cut" {
  start_ticker web -v data:/data
  fill web
  still exec web sh -c 'i=0; while [ $i -lt 2000 ]; do echo $i >/sub/$i; i=$((i + 1)); done'
  sleep 0.1
  stats=$(still checkpoint -R -e "$WORK/web.tar" --print-stats web)
  echo "$stats"
  # The ticker writes its own files, and renames them in two directories.
  jq -e '.container_statistics[0].still_statistics |
         .entries_looked_at > 2000 and .entries_changed < 10' <<<"$stats"
}

# --- memory ----------------------------------------------------------------------------------------

@test "--memory-staging keeps the images in memory if they fit" {
  start_ticker web
  live_checkpoint web "$WORK/small.tar" --memory-staging 1g
  live_checkpoint web "$WORK/large.tar" --memory-staging 1
  fails_with "size" still checkpoint -R -e "$WORK/x.tar" --memory-staging much web
  no_staging_left
  for archive in small large; do
    still restore -i "$WORK/$archive.tar" -n "$archive"
    alive "$archive"
  done
}

# --- somebody outside ------------------------------------------------------------------------------

# A process of the host that writes to a file of the volume all the time.
write_from_outside() {
  local file=$STILL_ROOT/volumes/data/_data/outside
  (while :; do echo x >>"$file"; done) 3>&- &
  writer=$!
  eventually test -s "$file"
}

# checkpoint_until TEXT FLAG...: live checkpoints of web until what one says has this text. A writer
# that gets no processor for the milliseconds between freeze and copy changes nothing in them, and on a
# busy machine that happens.
checkpoint_until() {
  local text=$1 attempt
  shift
  for attempt in {1..20}; do
    run still checkpoint -R -e "$WORK/web.tar" "$@" web
    [[ $output != *"$text"* ]] || break
    rm "$WORK/web.tar"
  done
  echo "checkpoint $attempt: $output"
  [[ $output == *"$text"* ]]
}

@test "a writer outside takes the certificate away and is named" {
  start_ticker web -v data:/data
  write_from_outside
  checkpoint_until "not certified consistent"
  [[ $status -eq 0 && $output == *"volume:data: "*outside* ]]
  [[ $(manifest "$WORK/web.tar" .consistent) == false ]]
  [[ $(manifest "$WORK/web.tar" '.trees[] | select(.name == "volume:data") | .foreign_writers[]') == *outside* ]]
  alive web
  run still restore -i "$WORK/web.tar" -n copy --rename-volume data=copy
  [[ $status -eq 0 && $output == *"not certified consistent"* ]]
}

@test "with --require-freeze a writer outside is an error, and no archive is written" {
  start_ticker web -v data:/data
  write_from_outside
  checkpoint_until "volume:data: outside" --require-freeze
  [[ $status -eq 125 && ${#lines[@]} -eq 1 && ! -e $WORK/web.tar ]]
  no_staging_left
  alive web
}

# --- containers that share a volume ----------------------------------------------------------------

start_sharers() {
  start_ticker web -v data:/data
  still run -d --name other -v "data:/data$1" --rootfs "$ROOTFS" /bin/sh -c '
    while :; do echo x >>/data/other 2>/dev/null; echo y >/y; done'
  eventually still exec other test -e /y
}

@test "a container that writes to the same volume is frozen too, and runs on" {
  start_sharers ""
  run still checkpoint -R --dry-run -e "$WORK/web.tar" web
  [[ $output == *"other writes to the same volume"* ]]
  for _ in 1 2 3; do live_checkpoint web "$WORK/web.tar" --require-freeze; done
  before=$(still exec other stat -c %s /data/other)
  eventually grows other /data/other "$before"
  has_state other running
}

grows() { [[ $(still exec "$1" stat -c %s "$2") -gt $3 ]]; }

@test "--no-freeze-sharers leaves it running, and the checkpoint says so" {
  start_sharers ""
  checkpoint_until "not certified consistent" --no-freeze-sharers
  [[ $status -eq 0 && $output == *"volume:data: "*other* ]]
}

@test "a paused container that shares the volume stays paused" {
  start_sharers ""
  still pause other
  live_checkpoint web "$WORK/web.tar" --require-freeze
  has_state other paused
  still unpause other
}

@test "one that only reads the volume is left alone" {
  start_sharers ":ro"
  run still checkpoint -R --dry-run -e "$WORK/web.tar" web
  [[ $output != *"other writes"* ]]
  live_checkpoint web "$WORK/web.tar" --require-freeze
}

@test "containers that share a volume can be checkpointed at the same time" {
  start_ticker one -v data:/data
  start_ticker two -v data:/data
  for round in 1 2 3; do
    still checkpoint -R -e "$WORK/one.$round" one 3>&- &
    first=$!
    still checkpoint -R -e "$WORK/two.$round" two 3>&- &
    timeout 60 tail --pid=$! -f /dev/null
    wait $!
    wait "$first"
    [[ $(manifest "$WORK/one.$round" .consistent) == true ]]
    [[ $(manifest "$WORK/two.$round" .consistent) == true ]]
  done
  alive one
  alive two
}

# --- the estimate ----------------------------------------------------------------------------------

@test "--dry-run tells sizes, methods and the expected pause, and learns" {
  start_ticker web -v data:/data
  run still checkpoint -R --dry-run -e "$WORK/web.tar" web
  echo "$output"
  [[ $output == *"rootfs: "*" entries, "*"copied before"* && $output == *"devshm"*"copied while frozen"* ]]
  [[ $output == *"pause "*"from what is usual"* ]]
  still checkpoint -R -e "$WORK/web.tar" web
  run still checkpoint -R --dry-run -e "$WORK/web.tar" web
  [[ $output == *"pause "*"from 1 earlier checkpoint"* ]]
}
