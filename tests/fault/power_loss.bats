#!/usr/bin/env bats
# cgroups: v2
# What a power loss would leave, from the order of system calls: no name appears before what is
# behind it is on disk, success is not reported before the name is, and nothing is frozen before the
# journal knows. power_loss.py has the model.

bats_require_minimum_version 1.5.0

load ../system/helpers
load ../system/workload
load fault_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
  begin_store
  export BEFORE
  start_busy "$(any_runtime)"
}

teardown_file() {
  still stop --time 60 busy >/dev/null
  container_ends_with 0 busy
  finish_store
}

# All that makes, changes, names or syncs files. Where descriptors lead to is shown by their paths.
calls=write,pwrite64,writev,pwritev,copy_file_range,sendfile,ftruncate,fallocate
calls+=,fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir
calls+=,mkdir,mkdirat,symlink,symlinkat,mknod,mknodat,open,openat,creat

# traced COMMAND...: its calls, and those of what it starts, are in $WORK/trace.
traced() { traced_alone --follow-forks "$@"; }

# Of the first thread alone: CRIU can restore nothing that is traced by somebody else.
traced_alone() {
  strace --quiet=attach,personality --decode-fds=path --string-limit=16 --successful-only \
    --trace="$calls" --output="$WORK/trace" "$@"
}

order() { python3 "$BATS_TEST_DIRNAME/power_loss.py" "$@" "$WORK/trace"; }

store_of_busy() { echo "$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' busy)"; }

@test "a live checkpoint" {
  traced still checkpoint -R -e "$WORK/archive" busy
  order --frozen --final "$WORK/archive"
  rm "$WORK/archive"
}

@test "a live checkpoint in the store" {
  traced still checkpoint -R busy
  order --frozen --final "$(store_of_busy)/checkpoint.tar"
}

@test "a default checkpoint with an archive" {
  traced still checkpoint -e "$WORK/archive" busy
  still restore busy
  answers busy
  order --final "$(store_of_busy)/checkpoint" --final "$WORK/archive"
  rm "$WORK/archive"
}

@test "a restore in place of a live checkpoint: files are replaced" {
  still checkpoint -R busy
  still kill busy >/dev/null
  eventually has_state busy exited
  traced_alone still restore busy
  answers busy
  order --replaced "$(store_of_busy)/upper:$(store_of_busy)/merged" --replaced "$STILL_ROOT/volumes/data/_data"
}

# --- the program sees what it is for ----------------------------------------------------------------

trace_of() { printf '%s\n' "$@" >"$WORK/trace"; }

open_line='1 openat(AT_FDCWD</>, "/d/.new", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</d/.new>'
write_line='1 write(3</d/.new>, "content", 7) = 7'
sync_line='1 fsync(3</d/.new>) = 0'
rename_line='1 rename("/d/.new", "/d/final") = 0'
directory_line='1 fsync(4</d>) = 0'
success_line='1 write(1</dev/null<char 1:3>>, "id", 2) = 2'
exit_line='1 +++ exited with 0 +++'

@test "the right order passes" {
  trace_of "$open_line" "$write_line" "$sync_line" "$rename_line" "$directory_line" "$success_line" "$exit_line"
  order --final /d/final
}

# A file without a name that gets one.
unnamed_line='1 openat(4</d>, ".", O_RDWR|O_CLOEXEC|O_TMPFILE, 0600) = 3</d/#7 (deleted)>'
unnamed_write_line='1 write(3</d/#7 (deleted)>, "content", 7) = 7'
unnamed_sync_line='1 fsync(3</d/#7 (deleted)>) = 0'
link_line='1 linkat(3</d/#7 (deleted)>, "", 4</d>, ".new", AT_EMPTY_PATH) = 0'

@test "the right order passes for a file that was made without a name" {
  trace_of "$unnamed_line" "$unnamed_write_line" "$link_line" "$unnamed_sync_line" "$rename_line" "$directory_line" "$success_line"
  order --final /d/final
  trace_of "$unnamed_line" "$unnamed_write_line" "$unnamed_sync_line" "$link_line" "$rename_line" "$directory_line" "$success_line"
  order --final /d/final
}

finds() {
  local text=$1
  shift
  trace_of "$@"
  run order --final /d/final
  echo "$output"
  [[ $status -eq 1 && $output == *"$text"* ]]
}

@test "a rename before the file's sync is seen" {
  finds "/d/final becomes visible, and /d/.new is not" \
    "$open_line" "$write_line" "$rename_line" "1 fsync(3</d/final>) = 0" "$directory_line" "$success_line" "$exit_line"
}

@test "no sync at all is seen" {
  finds "becomes visible" "$open_line" "$write_line" "$rename_line" "$directory_line" "$success_line"
}

@test "a write after the sync is seen" {
  finds "becomes visible" "$open_line" "$write_line" "$sync_line" "$write_line" "$rename_line" "$directory_line" "$success_line"
}

@test "a file that was made without a name and is not synced is seen" {
  finds "/d/final becomes visible, and /d/.new is not" "$unnamed_line" "$unnamed_write_line" "$link_line" "$rename_line" "$exit_line"
  finds "/d/final becomes visible, and /d/.new is not" \
    "$unnamed_line" "$unnamed_write_line" "$unnamed_sync_line" "$unnamed_write_line" "$link_line" "$rename_line" "$exit_line"
  finds "success is reported, and /d/final is not" "$unnamed_line" "$unnamed_write_line" "$unnamed_sync_line" "$link_line" \
    "$rename_line" "$directory_line" "$unnamed_write_line" "$success_line" "$exit_line"
}

@test "a directory that is not synced is seen, where success is printed and where the process ends" {
  finds "the name /d/final is not" "$open_line" "$write_line" "$sync_line" "$rename_line" "$success_line"
  finds "the name /d/final is not" "$open_line" "$write_line" "$sync_line" "$rename_line" "$exit_line"
}

@test "a directory that is synced before the rename is seen" {
  finds "the name /d/final is not" "$open_line" "$write_line" "$sync_line" "$directory_line" "$rename_line" "$exit_line"
}

@test "a sync that has failed or has not returned does not count" {
  finds "becomes visible" "$open_line" "$write_line" "1 fsync(3</d/.new>) = -1 EIO (Input/output error)" "$rename_line"
  finds "becomes visible" "$open_line" "$write_line" "2 fsync(3</d/.new> <unfinished ...>" "$rename_line" "2 <... fsync resumed>) = 0"
}

@test "a directory renamed with a file that is not synced in it is seen" {
  finds "/d/.new/a is not" '1 mkdir("/d/.new", 0700) = 0' '1 openat(5</d/.new>, "a", O_WRONLY|O_CREAT, 0600) = 3</d/.new/a>' \
    '1 write(3</d/.new/a>, "x", 1) = 1' '1 fsync(5</d/.new>) = 0' "$rename_line"
}

@test "old content that is removed before the new is synced is seen" {
  local fill='1 write(3</d/data/a>, "x", 1) = 1' removal='1 unlinkat(6</d/data.before-restore>, "a", 0) = 0'
  trace_of "$fill" "1 syncfs(4</d>) = 0" "$removal"
  order --replaced /d/data
  trace_of "$fill" "$removal" "1 syncfs(4</d>) = 0"
  run order --replaced /d/data
  [[ $status -eq 1 && $output == *"/d/data/a is not on disk"* ]]
  trace_of "$removal"
  run order --replaced /d/data
  [[ $status -eq 1 && $output == *"was not replaced"* ]]
}

@test "a trace without the name is no proof" {
  finds "nothing was renamed to /d/final" "$open_line" "$exit_line"
}

finds_frozen() {
  local text=$1
  shift
  trace_of "$@"
  run order --frozen
  echo "$output"
  [[ $status -eq 1 && $output == *"$text"* ]]
}

journal_line='1 pwrite64(3</s/still.db-wal>, "x", 1, 0) = 1'
journal_sync_line='1 fdatasync(3</s/still.db-wal>) = 0'
freeze_line='1 write(4</sys/fs/cgroup/c/cgroup.freeze>, "1", 1) = 1'

@test "a freeze before the journal is synced, or written, is seen" {
  trace_of "$journal_line" "$journal_sync_line" "$freeze_line"
  order --frozen
  finds_frozen "still.db-wal is not" "$journal_line" "$freeze_line" "$journal_sync_line"
  finds_frozen "nothing was written to the database" "$freeze_line"
  finds_frozen "nothing was frozen" "$journal_line" "$journal_sync_line"
}
