#!/usr/bin/env bats
# still container restore of archives that somebody has made to do harm.
# cgroups: v2

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }
teardown() { finish_store; }

# forged ACTION...: the archive, hostile (forge says how), is refused with an error that has the text
# in $NAMED, and nothing is made of it, inside or outside.
forged() {
  "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged.tar" "$@"
  fails_with "$NAMED" still restore -i "$WORK/forged.tar"
  nothing_made
  [[ $(cat "$WORK/victim") == unharmed && ! -e /tmp/evil && -z $(find "$WORK" "$STILL_ROOT" -name '*evil*') ]]
}

# An archive of a container that is gone, and a file that an attacker wants.
make_good_archive() {
  start_ticker web -v data:/data
  still checkpoint -R -c none -e "$WORK/web.tar" web
  still rm -f web
  still volume rm data
  echo unharmed >"$WORK/victim"
}

@test "an archive with right digests that reaches outside is refused, and the member named" {
  make_good_archive
  up=../../../../../../../../..
  NAMED=$up/tmp/evil forged put "$up/tmp/evil" evil
  NAMED=/tmp/evil forged put /tmp/evil evil
  NAMED=checkpoint/../evil forged put checkpoint/../evil evil
  NAMED=evil forged put evil evil
  NAMED=config.dump forged again config.dump
  NAMED=ctr.log forged link ctr.log "$WORK/victim"
  NAMED=checkpoint/evil forged link checkpoint/evil "$WORK/victim"
  for tree in rootfs-diff.tar volumes/data.tar devshm-checkpoint.tar; do
    NAMED=$up/tmp/evil forged entry "$tree" file "$up/tmp/evil"
    NAMED=/tmp/evil forged entry "$tree" file /tmp/evil
    NAMED=way-out/evil forged entry "$tree" link way-out "$WORK" file way-out/evil
    NAMED=hard forged entry "$tree" hard hard "$up$WORK/victim"
    NAMED=hard forged entry "$tree" link way-out "$WORK" hard hard way-out/victim
    NAMED=node forged entry "$tree" device node
    NAMED=twice forged entry "$tree" file twice file twice
    NAMED=$tree forged put "$tree" "no tar"
  done
  NAMED=victim forged put deleted.files "[\"$up$WORK/victim\"]"
  NAMED=victim forged put deleted.files "[\"$WORK/victim\"]"
  NAMED=deleted.files forged put deleted.files "{}"
}

@test "an archive with right digests and wrong settings is refused" {
  make_good_archive
  NAMED=id forged set id '"../../evil"'
  NAMED=name forged set name '"../evil"'
  NAMED=volume forged set still.volumes '[{"volume": "../../evil", "destination": "/data", "readOnly": false}]'
  NAMED=/ forged set still.volumes '[{"volume": "data", "destination": "/", "readOnly": false}]'
  NAMED=cgroup forged set still.cgroupParent '"/../../evil"'
  NAMED=runtime forged set still.runtime '"evil"'
  NAMED=user forged set still.user '"no such user"'
  NAMED=shmSizeBytes forged set still.shmSizeBytes -1
  NAMED=config.dump forged put config.dump "{"
  # And the archive was a good one.
  still restore -i "$WORK/web.tar"
  alive web
}
