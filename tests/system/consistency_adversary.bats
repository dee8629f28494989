#!/usr/bin/env bats
# cgroups: v2
# The adversary sees what it is made to see: its files are changed under it, without any container.
# Each change is what a checkpoint would show that missed one.

bats_require_minimum_version 1.5.0

setup() {
  load helpers
  load workload
  directory=$BATS_TEST_TMPDIR
  arguments=(--root "$directory/root" --volume "$directory/volume" --report 50
    --output "$directory/log")
}

teardown() { [[ -z ${adversary:-} ]] || kill -KILL "$adversary" 2>/dev/null || true; }

# start LANE FLAG...: with files that are left alone long enough to be changed from outside.
start() {
  "$STILL_WORKLOAD_DIR/adversary" "${arguments[@]}" --lanes "$@" 3>&- &
  adversary=$!
  eventually grep -q 'slowest=[1-9]' "$directory/log"
}

# ends CODE: the adversary ends by itself with this code.
ends() {
  local code=0
  eventually ended "$adversary"
  wait "$adversary" || code=$?
  cat "$directory/log"
  [[ $code -eq $1 ]]
}

ended() { ! kill -0 "$1" || [[ $(sed 's/.*) //' "/proc/$1/stat") == Z* ]]; }

# sees LANE TEXT: what it looks at next, or stumbles over in a step, is wrong.
sees() {
  ends 3
  grep "INCONSISTENT: lane $1: .*$2" "$directory/log"
}

# halted COMMAND...: runs it while no step is made, and longer than the pauses between steps are: all is looked at after
# that. What is changed in the middle of a step is lost where the step replaces it.
halted() {
  local follower
  follower=$(pgrep -P "$adversary")
  eventually stopped_between_steps "$adversary" "$follower"
  "$@"
  sleep 0.05
  kill -CONT "$adversary" "$follower"
}
stopped_between_steps() {
  kill -STOP "$@"
  if all_stopped "$@" && all_rest "$@"; then return; fi
  kill -CONT "$@"
  return 1
}
all_stopped() {
  local process
  for process in "$@"; do eventually stopped "$process"; done
}
stopped() { [[ $(sed 's/.*) //' "/proc/$1/stat") == T* ]]; }
# Threads with lanes are in clock_nanosleep(2) then (230 on x86-64); the first thread has none.
all_rest() {
  local process task
  for process in "$@"; do
    for task in "/proc/$process/task"/*; do
      [[ $task == */$process || $(cat "$task/syscall") == "230 "* ]] || return 1
    done
  done
}

# older DIRECTORY: puts a whole directory back to what it was some steps of every lane before.
older() {
  local before
  halted cp -a "$1" "$directory/earlier"
  before=$(slowest)
  eventually steps_beyond "$((before + 20))"
  halted put_back "$1"
}
slowest() { sed -n 's/.*slowest=\([0-9]*\).*/\1/p' "$directory/log" | tail -n 1; }
steps_beyond() { [[ $(slowest) -gt $1 ]]; }
put_back() {
  rm -r "$1"
  mv "$directory/earlier" "$1"
}

# swap_names ONE OTHER
swap_names() {
  mv "$1" "$directory/aside"
  mv "$2" "$1"
  mv "$directory/aside" "$2"
}

first_of_type() { find "$2" -mindepth 1 -maxdepth 1 -type "$1" | sort | sed -n 1p; }

every_lane=append,directory-moves,file-directory,hard-links,holes,metadata,mmap,one-block,rewrite,swap,truncate

@test "undisturbed it makes steps in all lanes, and ends when asked" {
  "$STILL_WORKLOAD_DIR/adversary" --help | tr -d '\n ' | grep -F "$(tr -d ' ' <<<"$every_lane")"
  start "$every_lane"
  sleep 2
  kill -TERM "$adversary"
  ends 0
}

@test "halted for a while it goes on, and finds nothing" {
  start "$every_lane"
  for _ in {1..5}; do
    kill -STOP "$adversary" "$(pgrep -P "$adversary")"
    sleep 0.1
    kill -CONT "$adversary" "$(pgrep -P "$adversary")"
  done
  kill -TERM "$adversary"
  ends 0
}

@test "killed, it can be started again over what it left" {
  start "$every_lane"
  kill -KILL "$adversary"
  ends 137
  rm "$directory/log"
  start "$every_lane"
  kill -TERM "$adversary"
  ends 0
}

missed_as_a_whole() {
  start "$1"
  older "$directory/$2/$1"
  sees "$1 ($([[ $2 == root ]] && echo root || echo volume))" ""
}

for lane in ${every_lane//,/ }; do
  for place in root volume; do
    bats_test_function --description "$lane, $place: an older directory is seen" \
      -- missed_as_a_whole "$lane" "$place"
  done
done

@test "rewrite: one older block is seen" {
  start rewrite
  block() { dd if="$1" of="$2" bs=4096 count=1 skip=1 seek=1 conv=notrunc status=none; }
  cp "$directory/root/rewrite/f3" "$directory/old"
  eventually differ_in_block_1 "$directory/old" "$directory/root/rewrite/f3"
  halted block "$directory/old" "$directory/root/rewrite/f3"
  sees 'rewrite (root)' 'root/rewrite/f3'
}
differ_in_block_1() { ! cmp -s -i 4096 -n 4096 "$1" "$2"; }

@test "rewrite: a time that was not set back is seen" {
  start rewrite
  halted touch "$directory/volume/rewrite/"*
  sees 'rewrite (volume)' 'mtime is'
}

# The first thread may be in a store just now: of the page that it stores into nothing can be said.
@test "mmap: older pages of files, mapped or not, are seen" {
  start mmap
  older_pages() {
    local file
    for file in "$directory/root/mmap/"*; do
      dd if=/dev/zero of="$file" bs=4096 count=1 seek=2 conv=notrunc status=none
    done
  }
  halted older_pages
  sees 'mmap (root)' 'piece 2 is zeros'
}

@test "swap: two files that changed places are seen" {
  start swap
  halted swap_names "$directory/root/swap/f1" "$directory/root/swap/f2"
  sees 'swap (root)' 'of file [0-9]*, memory says'
}

@test "file-directory: an empty file in place of a directory is seen" {
  start file-directory
  replace() {
    local name
    name=$(first_of_type d "$directory/volume/file-directory")
    rm -r "$name"
    touch "$name"
  }
  halted replace
  sees 'file-directory (volume)' '\(kind is file, memory says directory\|Not a directory\)'
}

@test "file-directory: one more file in a directory is seen" {
  start file-directory
  add() {
    local name
    name=$(first_of_type d "$directory/root/file-directory")
    touch "$name/more"
    touch -d @1000000000.123456789 "$name"
  }
  halted add
  sees 'file-directory (root)' 'other names than memory says: \(+more\|.*Directory not empty\)'
}

@test "file-directory: another target of a link is seen" {
  start file-directory
  change() {
    local name
    name=$(first_of_type l "$directory/root/file-directory")
    ln -sfn elsewhere "$name"
    touch -h -d @1000000000.123456789 "$name"
  }
  halted change
  sees 'file-directory (root)' 'target is elsewhere'
}

@test "hard-links: equal files in place of one are seen" {
  start hard-links
  separate() {
    local name
    name=$(find "$directory/root/hard-links" -type f -links +1 | sort | sed -n 1p)
    cp -p "$name" "$directory/copy"
    mv "$directory/copy" "$name"
  }
  halted separate
  sees 'hard-links (root)' 'number of links'
}

@test "hard-links: a name too many is seen" {
  start hard-links
  link() { ln "$(first_of_type f "$1")" "$1/more"; }
  halted link "$directory/volume/hard-links"
  sees 'hard-links (volume)' ''
}

@test "append: a longer file is seen" {
  start append
  longer() { for file in "$directory/root/append/"*; do printf '%064d' 0 >>"$file"; done; }
  halted longer
  sees 'append (root)' 'size is'
}

# One that was empty already has got another time, and it may have been appended to.
@test "append: a shorter file is seen" {
  start append
  halted truncate -s 0 "$directory/root/append/"*
  sees 'append (root)' '\(size is [0-9]*, memory says\|mtime is\)'
}

@test "truncate: zeros in place of the content are seen" {
  start truncate
  zero() {
    truncate -s 0 "$directory/root/truncate/f5"
    truncate -s 16384 "$directory/root/truncate/f5"
    touch -d @1000000000.123456789 "$directory/root/truncate/f5"
  }
  halted zero
  sees 'truncate (root)' 'f5: .* is zeros'
}

@test "one-block: a block from before is seen" {
  start one-block --files 4
  torn() {
    for number in 0 1 2 3; do
      dd if="$directory/old.$number" of="$directory/volume/one-block/f$number" bs=4096 count=1 \
        conv=notrunc status=none
    done
  }
  save() { for number in 0 1 2 3; do cp "$directory/volume/one-block/f$number" "$directory/old.$number"; done; }
  halted save
  sleep 0.3
  halted torn
  sees 'one-block (volume)' 'piece [0-9]* is version'
}

@test "metadata: another mode is seen" {
  start metadata
  halted chmod 7777 "$directory/root/metadata/n2"
  sees 'metadata (root)' 'n2: mode is 7777'
}

@test "metadata: another owner of a directory is seen" {
  start metadata
  halted chown 5000 "$directory/root/metadata/n3"
  sees 'metadata (root)' 'n3: owner is 5000'
}

@test "metadata: an attribute too many is seen" {
  start metadata
  halted setfattr -n user.more -v 1 "$directory/volume/metadata/n1"
  sees 'metadata (volume)' 'n1: other attributes than memory says: +user.more'
}

@test "metadata: another time of a directory is seen" {
  start metadata
  halted touch "$directory/volume/metadata/n1"
  sees 'metadata (volume)' 'n1: mtime is'
}

@test "directory-moves: two parents that changed places are seen" {
  start directory-moves
  halted swap_names "$directory/root/directory-moves/p0" "$directory/root/directory-moves/p1"
  sees 'directory-moves (root)' ''
}

@test "directory-moves: two directories that changed places are seen" {
  start directory-moves --files 64
  swap_two() {
    local -a names
    mapfile -t names < <(find "$directory/root/directory-moves" -mindepth 2 -maxdepth 2 | sort)
    swap_names "${names[0]}" "${names[1]}"
    touch -d @1000000000.123456789 "$directory/root/directory-moves/"p*
  }
  halted swap_two
  sees 'directory-moves (root)' 'memory says version [0-9]* of piece 0 of file'
}

@test "holes: a hole that was filled, and one that was not punched, are seen" {
  start holes
  fill() { dd if=/dev/urandom of="$directory/root/holes/f7" bs=4096 count=8 conv=notrunc status=none; }
  halted fill
  sees 'holes (root)' 'f7'
}

# For a moment, and only where the clock may be set.
@test "clock: steps of the clock end where they began" {
  capsh --has-p=CAP_SYS_TIME 2>/dev/null || skip "no CAP_SYS_TIME"
  local before after
  before=$(offset)
  start rewrite --step-clock --pause 100000
  kill -TERM "$adversary"
  ends 0
  after=$(offset)
  ((after - before < 10 && before - after < 10))
}

# Milliseconds by which the clock is ahead of the time since the start of the machine.
offset() { python3 -c 'import time; print(int((time.time() - time.monotonic()) * 1000))'; }

@test "wrong usage ends with 2" {
  run -2 "$STILL_WORKLOAD_DIR/adversary" --lanes none
}
