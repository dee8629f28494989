#!/usr/bin/env bats
# Live checkpoints whose memory is copied before the freeze or cut by forks of the processes, and what makes Still do
# without.

bats_require_minimum_version 1.5.0

load usual

# start NAME PROGRAM [FLAG...]: it has the volume data.
start() {
  local name=$1 program=$2
  shift 2
  still run -d --name "$name" -v data:/data "$@" --rootfs "$ROOTFS" "$program" >/dev/null
  eventually sh -c "still logs '$name' | grep -q '='"
}

# ends_well NAME VOLUME: it has nothing to complain of; both are gone then.
ends_well() {
  still stop --time 60 "$1" >/dev/null
  container_ends_with 0 "$1"
  still rm "$1" >/dev/null
  still volume rm "$2" >/dev/null
}

# copies NAME WAY ROUNDS: checkpoints of it, and copies that have nothing to complain of.
copies() {
  local name=$1 way=$2 round
  for ((round = 0; round < $3; round++)); do
    live_checkpoint "$name" "$WORK/archive" --memory-cut="$way" --compress none
    [[ $(manifest "$WORK/archive" .memory_cut) == "$way" ]]
    restore_copy "$WORK/archive" copy data >/dev/null
    sleep 0.5
    ends_well copy copy
    rm "$WORK/archive"
  done
}

zombies() { still exec "$1" sh -c "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"; }

# took_stock TEXT: the archive says that CRIU wrote the memory, and why.
took_stock() {
  [[ $(manifest "$WORK/archive" .memory_cut) == stock ]]
  [[ $(manifest "$WORK/archive" .memory_cut_because) == *"$1"* ]]
}

@test "copies are of one instant, and the original goes on without a trace of them" {
  local runtime
  for runtime in $(runtimes); do
    start busy /bin/counter --runtime "$runtime"
    copies busy fork 3
    copies busy protect 3
    [[ $(zombies busy) -eq 0 ]]
    ends_well busy data
  done
}

@test "memory of every kind is what it was" {
  local runtime way
  for runtime in $(runtimes); do
    start maps /bin/mappings --runtime "$runtime"
    for way in $(memory_ways); do copies maps "$way" 2; done
    [[ $(zombies maps) -eq 1 ]] # its own
    ends_well maps data
  done
}

# It rewrites all of its memory all the time, and looks at it when it goes on.
@test "with the last copy switched off the fault is seen" {
  local round
  start maps /bin/mappings
  for round in {1..10}; do
    STILL_TEST_NO_LAST_COPY=1 "$STILL_TEST_PROGRAM" checkpoint -R --memory-cut=protect --compress none -e "$WORK/archive" maps
    restore_copy "$WORK/archive" copy data >/dev/null
    sleep 0.5
    still stop --time 60 copy >/dev/null
    [[ $(state copy ExitCode) -eq 0 ]] || return 0
    still rm copy >/dev/null
    still volume rm copy >/dev/null
    rm "$WORK/archive"
  done
  return 1
}

# start_objects NAME RUNTIME: v1 cannot have a stopped child dumped.
start_objects() {
  local flags=()
  [[ $STILL_TEST_CGROUP != v1 ]] || flags=(--no-stopped)
  still run -d --name "$1" -v data:/data --runtime "$2" --rootfs "$ROOTFS" /bin/objects "${flags[@]}" >/dev/null
  eventually sh -c "still logs '$1' | grep -q '='"
}

@test "a stopped process is refused where CRIU would wait for it for ever" {
  [[ $STILL_TEST_CGROUP == v1 ]] || skip "v2 can dump it: see objects of every kind"
  start things /bin/objects
  fails_with "is stopped, and CRIU cannot dump" still checkpoint -R -e "$WORK/archive" things
  [[ ! -e $WORK/archive && $(state things Status) == running ]]
}

@test "objects of every kind are what they were" {
  local runtime way
  for runtime in $(runtimes); do
    start_objects things "$runtime"
    for way in $(memory_ways); do copies things "$way" 1; done
    still checkpoint things >/dev/null
    still restore things >/dev/null
    ends_well things data
  done
}

# cut_twice NAME WAY: $WORK/merged/checkpoint are images with copied memory, $WORK/again/images what CRIU makes of the
# same instant.
cut_twice() {
  rm -rf "$WORK/merged" "$WORK/again" "$WORK/archive"
  at frozen "STILL_PID=\$PPID $BATS_TEST_DIRNAME/dump-again $WORK/again" \
    "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" --memory-cut="$2" --compress none "$1"
  mkdir "$WORK/merged"
  tar -xf "$WORK/archive" -C "$WORK/merged" checkpoint
}

compare_images() { "$BATS_TEST_DIRNAME/compare-images" "$WORK/again/images" "$WORK/merged/checkpoint"; }

@test "images with copied memory are those that CRIU makes of the same instant" {
  local runtime program way
  for runtime in $(runtimes); do
    for program in mappings objects counter; do
      if [[ $program == objects ]]; then start_objects objects "$runtime"; else start "$program" "/bin/$program" --runtime "$runtime"; fi
      for way in fork protect; do
        cut_twice "$program" "$way"
        compare_images
      done
      ends_well "$program" data
    done
  done
  # The comparison can fail.
  printf '\1' | dd of="$WORK/merged/checkpoint/pages-1.img" bs=1 seek=5000 conv=notrunc status=none
  run ! compare_images
  [[ $output == *"the page at 0x"* ]]
}

@test "nothing in the images shows how they were made" {
  local way
  start busy /bin/counter
  for way in fork protect; do
    live_checkpoint busy "$WORK/archive" --memory-cut="$way" --compress none
    tar -xf "$WORK/archive" -C "$WORK" checkpoint
    [[ ! -e $WORK/checkpoint/parent && ! -L $WORK/checkpoint/parent ]]
    [[ -z $(find "$WORK/checkpoint" -type f ! -name '*.img' ! -name '*.json') ]]
    rm -r "$WORK/archive" "$WORK/checkpoint"
  done
}

# What Still does is the same for both versions, but where the machine has its controllers is not.
limits_work() { [[ $STILL_TEST_CGROUP == v1 ]] || grep -qw memory /sys/fs/cgroup/cgroup.controllers || skip "v2 has no controllers here: see v1"; }

@test "a limit of processes that leaves no room leaves no forks" {
  limits_work
  start busy /bin/counter
  # But for the shell.
  local tasks
  tasks=$(still exec busy sh -c 'set -- /proc/[0-9]*/task/[0-9]*; echo $(($# - 1))')
  still rm --force busy >/dev/null
  start busy /bin/counter --pids-limit $((tasks + 1))
  fails_with "limit of processes" still checkpoint -R -e "$WORK/archive" --memory-cut=fork busy
  [[ ! -e $WORK/archive ]]
  # What is copied before the freeze needs none.
  copies busy protect 1
}

@test "a limit of memory that leaves no room leaves no forks" {
  limits_work
  start busy /bin/counter --memory 64m
  fails_with "--memory-headroom" \
    still checkpoint -R -e "$WORK/second" --memory-cut=fork --memory-headroom 1g busy
  [[ ! -e $WORK/second ]]
  live_checkpoint busy "$WORK/second" --memory-cut=fork --memory-headroom 1m
  live_checkpoint busy "$WORK/third" --memory-cut=protect --memory-headroom 1g
}

# memory_file NAME V1 V2: a file of the container's cgroup.
memory_file() {
  local root=/sys/fs/cgroup file=$3
  [[ $STILL_TEST_CGROUP == v2 ]] || root=/sys/fs/cgroup/memory file=$2
  echo "$(find "$root" -type d -name "*$(still inspect --format '{{.Id}}' "$1")*" | head -1)/$file"
}

@test "memory that runs out ends the copies, not the container" {
  limits_work
  start maps /bin/mappings # it rewrites all of its memory all the time
  # What its cgroup has of files would make room.
  local own
  own=$(awk '$1 == "rss" || $1 == "anon" { print $2 }' "$(memory_file maps memory.stat memory.stat)")
  echo $((own + (12 << 20))) >"$(memory_file maps memory.limit_in_bytes memory.max)"
  run at copied "sleep 1" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" \
    --memory-cut=fork --memory-headroom 1m maps
  echo "$output"
  # Whether that is when they are made, read, or kept.
  [[ $status -ne 0 && $output == *"was killed"* && ! -e $WORK/archive ]]
  [[ $(zombies maps) -eq 1 ]] # its own
  ends_well maps data
}

@test "a paused container stays paused, and CRIU writes its memory" {
  start busy /bin/counter
  still pause busy >/dev/null
  live_checkpoint busy "$WORK/archive" --memory-cut=auto
  took_stock "paused"
  [[ $(state busy Status) == paused ]]
  still unpause busy >/dev/null
}

# As the kernel does first when memory is short. Their end takes a moment.
KILL_COPIES='for score in /proc/[0-9]*/oom_score_adj; do
  [ "$(cat "$score" 2>/dev/null)" != 1000 ] || kill -KILL "$(basename "$(dirname "$score")")"; done; sleep 0.3'

# start_large: the counter, and beside it 32 MiB that somebody keeps, when he has them.
start_large() {
  still run -d --name busy -v data:/data --rootfs "$ROOTFS" sh -c \
    '(dd if=/dev/zero bs=1M count=32 2>/dev/null; touch /passed-on; tail -f /dev/null) |
       dd bs=64M iflag=fullblock of=/dev/null & exec counter' >/dev/null
  eventually sh -c "still logs busy | grep -q '='"
  eventually still exec busy test -e /passed-on
}

@test "a little memory is written by CRIU, which takes no longer" {
  start busy /bin/counter
  live_checkpoint busy "$WORK/archive" --memory-cut=auto
  took_stock "takes no longer"
  still rm --force busy >/dev/null
  start_large
  live_checkpoint busy "$WORK/second" --memory-cut=auto
  [[ $(manifest "$WORK/second" .memory_cut) == protect ]]
}

@test "processes that are unlike others are left to CRIU" {
  still run -d --name busy --rootfs "$ROOTFS" /bin/calls 1000 >/dev/null
  eventually sh -c 'still logs busy | grep -q ready'
  run still checkpoint -R --dry-run --memory-cut=auto busy
  echo "$output"
  [[ $output == *"written by CRIU (process "*"(calls) uses asynchronous I/O)"* ]]
}

# fails_by WAY STEP COMMAND TEXT: with that fault, and leaves nothing behind.
fails_by() {
  fails_with "$4" at "$2" "$3" \
    "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" --memory-cut="$1" busy
  [[ ! -e $WORK/archive && $(zombies busy) -eq 0 ]]
  copies busy "$1" 1
}

@test "a copy that is killed is told" {
  start_large
  fails_by fork copied "$KILL_COPIES" "was killed before all of it was read"
}

@test "a CRIU that fails without memory is told" {
  start_large
  fails_by fork prepared 'rm -r "$STILL_ROOT"/staging/*/parent' "CRIU"
}

@test "where memory cannot be brought in Still starts over, with CRIU as it is" {
  local lose='truncate --size 0 "$STILL_ROOT"/staging/*/pages'
  start_large
  run at copied "$lose" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" --memory-cut=auto busy
  echo "$output"
  [[ $status -eq 0 && $output == *"once more, with CRIU as it is"* ]]
  took_stock "the cut by write protection failed"
  rm "$WORK/archive"
  fails_by protect copied "$lose" "cannot read stored memory"
}

# lazy_still: a Still without its library for CRIU, which has to do with what CRIU offers.
lazy_still() {
  copy_without_library "$(command -v still)" "$WORK/bin"
  PATH=$WORK/bin:$PATH
  [[ $(still info --format '{{.host.criu.forkCut.skeleton}}') == lazy-pages ]]
}

@test "without its library for CRIU Still has CRIU keep the pages, and nobody asks for them" {
  local runtime program
  lazy_still
  for runtime in $(runtimes); do
    for program in counter mappings; do
      start "$program" "/bin/$program" --runtime "$runtime"
      copies "$program" fork 2
      ends_well "$program" data
    done
  done
}

# Who connects first would get the memory.
@test "CRIU does not offer the pages to others on this machine" {
  local taken
  lazy_still
  start busy /bin/counter
  # Its port is in use where they are, and it does not notice.
  python3 -c 'import socket, time
listening = socket.create_server(("127.0.0.1", 1))
print("taken", flush=True)
time.sleep(600)' >"$WORK/taken" 3>&- &
  taken=$!
  eventually test -s "$WORK/taken"
  copies busy fork 1
  kill "$taken"
  ends_well busy data
  start open /bin/counter --network host
  fails_with "others could ask CRIU for its memory" \
    still checkpoint -R -e "$WORK/archive" --memory-cut=fork open
}

@test "with nothing of its own for CRIU Still leaves the memory to CRIU" {
  lazy_still
  rm "$WORK/bin/still_lazy_pages"
  start_large
  fails_with "library for CRIU is not installed; lazy-pages: still_lazy_pages is not installed" \
    still checkpoint -R -e "$WORK/archive" --memory-cut=fork busy
  still checkpoint -R -e "$WORK/archive" --memory-cut=auto busy
  took_stock "library"
}
