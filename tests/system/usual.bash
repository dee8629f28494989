# shellcheck shell=bash
# What most files of tests begin with: a root file system made from busybox for all of them, $ROOTFS,
# and a store of its own for each test. A file that wants something else defines it after this.

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

setup() { begin_store; }
teardown() { finish_store; }
