#!/usr/bin/env bats
# What programs in a container notice of a live checkpoint but for the time that passes: nothing; and
# what a copy notices.

bats_require_minimum_version 1.5.0

load usual

# begin NAME PROGRAM [ARGUMENT...]: a container of $RUNTIME that says when it is ready.
begin() {
  local name=$1
  shift
  still run -d --name "$name" --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" "$@" >/dev/null
  eventually says "$name" ready
}

# ends_fine NAME: it has nothing to complain of.
ends_fine() {
  still stop --time 20 "$1" >/dev/null
  still logs "$1" | grep -v '[0-9] s$' | tail -n 20
  container_ends_with 0 "$1"
  still rm "$1" >/dev/null
}

# copy_ends_fine ARCHIVE: a copy of it, after a moment.
copy_ends_fine() {
  still container restore --import "$1" --name copy --file-locks >/dev/null
  sleep 1
  ends_fine copy
}

# Each program is checkpointed twice: the second time calls are found that have gone on once.
every_call_in_original_and_copy() {
  local way round
  for way in $(memory_ways); do
    begin waiting /bin/calls 1000 "$(flags_for $way)"
    for round in 1 2; do
      live_checkpoint waiting "$WORK/archive" --memory-cut="$way" --file-locks --compress none
      [[ $(manifest "$WORK/archive" .memory_cut) == "$way" ]]
      copy_ends_fine "$WORK/archive"
      rm "$WORK/archive"
    done
    ends_fine waiting
  done
}
# What forks cannot cut is CRIU's alone, as handlers with SA_RESTART are here.
flags_for() { if [[ $1 == stock ]]; then echo --restart; else echo --no-aio; fi; }
@test "no system call ends because of a live checkpoint, and none in the copy" {
  for_each_runtime every_call_in_original_and_copy
}

# seconds_of NAME: a line for each call that has had its time.
seconds_of() {
  still kill --signal USR1 "$1" >/dev/null
  eventually says "$1" "so far"
  still logs "$1" | sed -n 's/^calls: \(.*\): \([0-9.]*\) s$/\2 \1/p' | sort --unique
}

sleeps_in_time() {
  begin sleeping /bin/calls 6 --no-aio
  live_checkpoint sleeping "$WORK/archive" --memory-cut=fork --file-locks --compress none
  sleep 8
  seconds_of sleeping >"$WORK/seconds"
  cat "$WORK/seconds"
  # The kernel goes on with these for the time that is left.
  grep -E '^[0-9.]+ (nanosleep|clock_nanosleep|sleep|poll|futex|sem_timedwait)\>' "$WORK/seconds" | awk '$1 > 7 { exit 1 }'
  copy_ends_fine "$WORK/archive"
  rm "$WORK/archive"
  ends_fine sleeping
}
@test "a sleep ends when it would have ended" {
  for_each_runtime sleeps_in_time
}

@test "sleep as process 1 outlives live checkpoints, and its copy restores" {
  local way
  still run -d --name one --rootfs "$ROOTFS" sleep 1000 >/dev/null
  still run -d --name job --rootfs "$ROOTFS" sh -c 'while :; do echo job; sleep 86400; done' >/dev/null
  eventually says job job
  for way in $(memory_ways); do
    live_checkpoint one "$WORK/one" --memory-cut="$way"
    live_checkpoint job "$WORK/job" --memory-cut="$way"
    still container restore --import "$WORK/one" --name copy >/dev/null
    sleep 0.5
    [[ $(state copy Status) == running && $(state one Status) == running ]]
    still rm --force copy >/dev/null
    rm "$WORK/one" "$WORK/job"
  done
  [[ $(still logs job | grep -c job) -eq 1 ]]
}

@test "a paused container's sleep goes on when it is unpaused" {
  still run -d --name one --rootfs "$ROOTFS" sleep 1000 >/dev/null
  still pause one >/dev/null
  live_checkpoint one "$WORK/one"
  still unpause one >/dev/null
  sleep 0.5
  [[ $(state one Status) == running ]]
}

sequences_in_original_and_copy() {
  local way round
  begin sequences /bin/sequences
  for round in 1 2 3; do
    for way in $(memory_ways); do
      live_checkpoint sequences "$WORK/archive" --memory-cut="$way" --compress none
      copy_ends_fine "$WORK/archive"
      rm "$WORK/archive"
    done
  done
  ends_fine sequences
}
@test "a restartable sequence is done to its end, or aborted" {
  for_each_runtime sequences_in_original_and_copy
}

closes_beside_copies() {
  local round
  begin closing /bin/closer 128
  for round in 1 2 3; do
    live_checkpoint closing "$WORK/archive" --memory-cut=fork --file-locks --compress none
    rm "$WORK/archive"
  done
  ends_fine closing
}
@test "what the original closes is closed while copies of its memory live" {
  for_each_runtime closes_beside_copies
}

# refused WORDS PROGRAM-ARGUMENT...: by a dry run and by a checkpoint, and the container has not stood still.
refused() {
  local words=$1 way
  shift
  still run -d --name odd --runtime "$RUNTIME" --network none --cap-add SYS_ADMIN \
    --security-opt seccomp=unconfined --rootfs "$ROOTFS" /bin/odd "$@" >/dev/null
  eventually says odd ready
  fails_with "$words" still checkpoint -R --dry-run odd
  for way in auto stock; do
    fails_with "$words" still checkpoint -R -e "$WORK/archive" --memory-cut="$way" odd
  done
  fails_with "$words" still checkpoint odd
  [[ ! -e $WORK/archive && $(state odd Status) == running ]]
  sleep 0.3
  if says odd "gap\|lost"; then return 1; fi
  still rm --force odd >/dev/null
}
# Linux has guard pages since 6.13 and shows them since 6.15.
tells_of_guards() { printf '6.15\n%s\n' "$(uname -r)" | sort --version-sort --check=quiet; }
everything_odd() {
  refused "is traced by process" traced -
  refused "permission events of fanotify" permission /etc/passwd
  refused "a listener for seccomp notifications" rules notify
  refused "a personality of its own" rules personality
  refused "has ended while others go on" headless -
  refused "something waits in /dev/p" have terminal
  refused "an eventfd that is a semaphore" have semaphore
  refused "a pipe in packet mode" have packets
  refused "a pidfd of a thread" have pidfd
  refused "a socket of the kind MPTCP" have mptcp
  refused "a descriptor of the kind [landlock-ruleset]" have landlock
  refused "as many descriptors as its limit allows" have no-descriptors
  if tells_of_guards; then refused "has guard pages" have guards; fi
  refused "the POSIX message queue /queue" have queue
  refused "another signal for its end than SIGCHLD (12)" have exit-signal
  refused "a table of descriptors of its own" thread descriptors
  refused "a working directory, root or umask of its own" thread directory
  refused "a uts namespace of its own" thread hostname
}
@test "what CRIU cannot hold is refused before anything stands still" {
  for_each_runtime everything_odd
}

namespaces_within() {
  local kind
  for kind in "-U user" "-n network" "-u uts" "-i ipc" "-fp pid"; do
    still run -d --name nested --runtime "$RUNTIME" --cap-add SYS_ADMIN --security-opt seccomp=unconfined --rootfs "$ROOTFS" \
      sh -c "unshare ${kind% *} sh -c 'echo ready; sleep 1000' & wait" >/dev/null
    eventually says nested ready
    fails_with "${kind#* } namespace of its own" still checkpoint -R -e "$WORK/archive" nested
    fails_with "${kind#* } namespace of its own" still checkpoint nested
    [[ $(state nested Status) == running ]]
    still rm --force nested >/dev/null
  done
  # CRIU knows mount namespaces.
  still run -d --name nested --runtime "$RUNTIME" --cap-add SYS_ADMIN --security-opt seccomp=unconfined --rootfs "$ROOTFS" \
    sh -c "unshare -m sh -c 'echo ready; sleep 1000' & wait" >/dev/null
  eventually says nested ready
  live_checkpoint nested "$WORK/archive"
  rm "$WORK/archive"
}
@test "a namespace within the container is refused before anything stands still" {
  for_each_runtime namespaces_within
}

overlays_within() {
  still run -d --name mounting --runtime "$RUNTIME" --tmpfs /layers --cap-add SYS_ADMIN --security-opt seccomp=unconfined --rootfs "$ROOTFS" sh -c '
    mkdir /layers/upper /layers/work /mounted
    mount -t overlay none /mounted -o lowerdir=/etc,upperdir=/layers/upper,workdir=/layers/work && echo ready
    sleep 1000' >/dev/null
  eventually says mounting ready
  fails_with "an overlay at /mounted" still checkpoint -R -e "$WORK/archive" mounting
  fails_with "an overlay at /mounted" still checkpoint mounting
  [[ $(state mounting Status) == running ]]
}
@test "an overlay within the container is refused before anything stands still" {
  for_each_runtime overlays_within
}

leases_in_original_and_copy() {
  local way
  still run -d --name leasing --runtime "$RUNTIME" -v data:/data --rootfs "$ROOTFS" /bin/odd lease /leased >/dev/null
  eventually says leasing ready
  for way in fork stock; do
    live_checkpoint leasing "$WORK/archive" --memory-cut="$way" --file-locks --compress none
    restore_copy "$WORK/archive" copy data --file-locks >/dev/null
    sleep 0.3
    [[ $(state leasing Status) == running && $(state copy Status) == running ]]
    if says leasing "lost\|gap" || says copy lost; then return 1; fi
    remove_copy copy >/dev/null
    rm "$WORK/archive"
  done
  still rm --force leasing >/dev/null
  # Files of volumes are opened to be read.
  still run -d --name leasing --runtime "$RUNTIME" -v data:/data --rootfs "$ROOTFS" /bin/odd lease /data/leased >/dev/null
  eventually says leasing ready
  for way in fork stock; do
    fails_with "write lease on /data/leased" still checkpoint -R -e "$WORK/archive" --memory-cut="$way" --file-locks leasing
  done
  sleep 0.3
  if says leasing "lost\|gap"; then return 1; fi
}
@test "a lease is not broken, and who has one does not stand still" {
  for_each_runtime leases_in_original_and_copy
}

# Directories of a lower layer, of the writable one, with another on top of both, and the root.
watches_in_original_and_copy() {
  local way directories=/usr/bin,/made/deep,/var,/,/data
  still run -d --name watching --runtime "$RUNTIME" -v data:/data --rootfs "$ROOTFS" \
    sh -c "mkdir -p /made/deep; touch /var/one; exec /bin/odd inotify $directories" >/dev/null
  eventually says watching ready
  for way in fork stock; do
    live_checkpoint watching "$WORK/archive" --memory-cut="$way" --compress none
    restore_copy "$WORK/archive" copy data >/dev/null
    sees copy "copy$way"
    remove_copy copy >/dev/null
    sees watching "original$way"
    if says watching "seen copy\|gap"; then return 1; fi
    rm "$WORK/archive"
  done
}
# sees NAME FILE: a file of that name in each of the directories.
sees() {
  local directory
  still exec "$1" sh -c "for d in /usr/bin /made/deep /var / /data; do touch \$d/$2; done"
  eventually eval '[[ $(still logs '"$1"' | grep -c "seen '"$2"'") -eq 5 ]]'
}
@test "what is watched in the root file system is watched in the copy" {
  for_each_runtime watches_in_original_and_copy
}

nothing_is_seen() {
  local way before places='/tmp /tree /tree/inner /tree/link /data /data/inner /data/link /few /few/file /more /more/file'
  still run -d --name watching --runtime "$RUNTIME" -v data:/data --tmpfs /few --tmpfs /more --rootfs "$ROOTFS" sh -c "
    echo >/few/file; dd if=/dev/zero of=/more/file bs=1000 count=200 2>/dev/null # CRIU has tar read more than a little
    mkdir -p /tree/inner /data/inner; ln -s inner /tree/link; ln -s inner /data/link
    for place in $places; do touch -h -d '2001-01-01 00:00:00' \$place; done
    echo ready; sleep 1000" >/dev/null
  eventually says watching ready
  # shellcheck disable=SC2086
  before=$(still exec watching stat -c '%n %X %Y' $places)
  [[ $before == "/tmp 978307200 978307200"* ]]
  for way in fork stock; do
    live_checkpoint watching "$WORK/archive" --memory-cut="$way" --compress none
    # shellcheck disable=SC2086
    is "$before" still exec watching stat -c '%n %X %Y' $places
    rm "$WORK/archive"
  done
}
@test "no time of last access says that somebody looked" {
  for_each_runtime nothing_is_seen
}

headless_is_running() {
  begin headless /bin/odd headless -
  [[ $(still ps --format '{{.Names}} {{.State}}') == "headless running" ]]
  fails_with "running" still rm headless
  local init
  init=$(state headless Pid)
  # The hierarchies of v1 do not say any more where an ended main thread belongs.
  if [[ $STILL_TEST_CGROUP != v1 ]]; then
    still pause headless >/dev/null
    still unpause headless >/dev/null
  fi
  still rm --force headless >/dev/null
  [[ ! -e /proc/$init && -z $(still ps -aq) ]]
}
@test "a container whose main thread has ended is running, and can be removed" {
  for_each_runtime headless_is_running
}

# What CRIU writes in the window beside the memory.
counted_in_the_estimate() {
  still run -d --name big --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" sh -c '
    exec 3>/big; rm /big; dd if=/dev/zero bs=1M count=400 >&3 2>/dev/null
    mkfifo /pipe; exec 4<>/pipe; dd if=/dev/zero bs=1000 count=40 >&4 2>/dev/null
    echo ready; while :; do sleep 1; done' >/dev/null
  eventually says big ready
  still checkpoint -R --dry-run big | tee "$WORK/plan"
  grep -E "^copied +400.*MiB of deleted files that are open, before the freeze" "$WORK/plan"
  grep -E "^written +39.*KiB of what is in pipes, by CRIU" "$WORK/plan"
  live_checkpoint big "$WORK/archive" --compress none --print-stats >"$WORK/stats"
  note "$RUNTIME, 400 MiB without a name: $(paused_ms "$WORK/stats") ms"
  rm "$WORK/archive"
}
@test "deleted files that are open and pipes are counted in the expected pause" {
  for_each_runtime counted_in_the_estimate
}

mappings_are_counted() {
  still run -d --name shared --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" /bin/mappings >/dev/null
  eventually shared_memory_is_planned
}
shared_memory_is_planned() {
  still checkpoint -R --dry-run shared | grep -E "^written .*iB of shared memory"
  [[ $(memory_ways) != *protect* ]] ||
    still checkpoint -R --dry-run --memory-cut=protect shared | grep -E "^copied .*iB of shared memory, before the freeze"
}
@test "shared memory is counted in the expected pause" {
  for_each_runtime mappings_are_counted
}

# paused_ms STATISTICS: what was reported of it, as --print-stats has it.
paused_ms() { jq '.container_statistics[0].still_statistics.pause / 1000 | floor' "$1"; }

spawns_on() {
  local way microseconds
  # 2 ms is longer than a shell needs, half a millisecond what posix_spawn(3) takes.
  for microseconds in 2000 500; do
    still run -d --name spawning --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" /bin/odd vfork "$microseconds" >/dev/null
    eventually says spawning ready
    for way in $(memory_ways) $(memory_ways); do
      live_checkpoint spawning "$WORK/archive" --memory-cut="$way" --compress none --max-pause 2s --print-stats >"$WORK/stats"
      note "vfork, $microseconds us, $way: $(paused_ms "$WORK/stats") ms"
      rm "$WORK/archive"
    done
    if says spawning gap; then return 1; fi
    still rm --force spawning >/dev/null
  done
}
@test "a container that spawns all the time stands still for milliseconds" {
  for_each_runtime spawns_on
}

waits_for_ever() {
  still run -d --name waiting --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" /bin/odd vfork 3600000000 >/dev/null
  eventually says waiting ready
  for way in auto stock; do
    fails_with "waits for a child of vfork" still checkpoint -R -e "$WORK/archive" --memory-cut="$way" waiting
  done
  [[ $(state waiting Status) == running ]]
  if says waiting gap; then return 1; fi
  # Nobody looks before CRIU ends a container, but its patience has an end.
  fails_with "does not stop when CRIU asks it to" timeout 8 still checkpoint waiting
  [[ $(state waiting Status) == running ]]
}
@test "a child of vfork that never ends is a reason to refuse, found without a freeze" {
  for_each_runtime waits_for_ever
}

# A program that lives by them is unharmed, and its copy runs.
live_by_other_rules() {
  local rules way
  for rules in kill errno trap trace notify-unheard mdwe sealed; do
    begin ruled --security-opt seccomp=unconfined /bin/odd rules "$rules"
    for way in $(memory_ways); do
      live_checkpoint ruled "$WORK/archive" --memory-cut="$way" --compress none
      still container restore --import "$WORK/archive" --name copy >/dev/null
      sleep 0.3
      [[ $(state ruled Status) == running && $(state copy Status) == running ]]
      if says ruled "lost\|gap"; then return 1; fi
      still rm --force copy >/dev/null
      rm "$WORK/archive"
    done
    still rm --force ruled >/dev/null
  done
}
@test "filters of system calls, and other rules, are the original's own" {
  for_each_runtime live_by_other_rules
}

dispatches() {
  local way
  begin dispatching /bin/odd rules dispatch
  for way in $(memory_ways); do
    fails_with "syscall user dispatch" still checkpoint -R -e "$WORK/archive" --memory-cut="$way" dispatching
  done
  fails_with "syscall user dispatch" still checkpoint dispatching
  sleep 0.5
  [[ $(state dispatching Status) == running && ! -e $WORK/archive ]]
  if says dispatching "fault\|gap"; then return 1; fi
}
@test "a thread whose system calls are signals is asked before CRIU has it make one" {
  for_each_runtime dispatches
}
