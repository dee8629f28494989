#!/usr/bin/env bash
# The main job on a real program, with explanations: `./dev demo` builds and calls this inside the
# environment. Everything it makes is in one temporary directory and gone in the end.

set -euo pipefail
checkout=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
readonly programs=${STILL_WORKLOAD_DIR:-$(dirname "$(command -v still)")/../tests/workload}
readonly socket=/run/redis.sock

main() {
  exec 3>&1 # for what must not go into a pipe
  say "Still takes consistent live checkpoints of running containers: memory, files and volumes of one" \
    "instant, while the container runs on. This shows one of a busy Redis, and what is restored from it."
  prepare
  start_redis
  take_checkpoint
  look_into_the_archive
  restore_beside
  compare_memory_and_file
  title "That was it"
  say "One archive of $(size "$work/redis.tar.zst") holds processes, memory, files and volume of one instant. Redis" \
    "stood still for $(ms "$pause_us") and served its clients before and after. (This took $SECONDS s.)"
}

prepare() {
  work=$(mktemp -d /tmp/still-demo.XXXX)
  export STILL_ROOT=$work/store
  trap clean_up EXIT

  title "Redis, in a container, busy"
  say "A root file system for the container is made from the Debian packages of this machine."
  cp --archive "$("$checkout/tests/system/rootfs/make" redis)" "$work/rootfs"
  cp "$checkout/tests/workload/redis-under-load" "$programs/pause_probe" "$work/rootfs/bin/"
  say "It has $(size "$work/rootfs"): Redis, its libraries, a small shell."
}

# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
  local code=$?
  if [[ $code -ne 0 ]]; then
    printf '\nThe demo failed. The last words of its containers:\n' >&2
    for name in redis copy; do still logs "$name" 2>&1 | tail -n 5 >&2 || true; done
  fi
  still rm --force --all >/dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
  exit "$code"
}

start_redis() {
  show still run -d --name redis -v data:/data --rootfs "$work/rootfs" \
    /bin/sh -c 'pause_probe & exec redis-under-load'
  until still logs redis 2>&1 | grep -q '^ready'; do sleep 0.1; done
  say "In it run redis-server, which appends every write to a file in the volume \"data\"; two" \
    "redis-benchmarks, which keep it busy; and pause_probe, which reads the clock every 0.2 ms and" \
    "remembers the largest gap: so the container itself can tell how long it stood still."
  sleep 3
  say "Redis has $(redis redis dbsize) keys, and one counter has been incremented $(counter redis) times." \
    "The largest gap so far, in normal work: $(ms "$(largest_gap redis)")."
}

take_checkpoint() {
  title "A live checkpoint"
  say "Freeze, dump the memory, capture the files, thaw; only then write and compress the archive:"
  local begin
  counter_before=$(counter redis)
  largest_gap redis >/dev/null
  begin=$(date +%s%N)
  show still container checkpoint --leave-running --export "$work/redis.tar.zst" --print-stats redis \
    >"$work/output"
  local took_us=$((($(date +%s%N) - begin) / 1000))
  gap_us=$(largest_gap redis)
  counter_after=$(counter redis)
  pause_us=$(jq '.container_statistics[0].still_statistics.pause' "$work/output")
  say "The command took $(ms "$took_us"). The container stood still for $(ms "$pause_us"), says Still; from the inside" \
    "the clock had a gap of $(ms "$gap_us")."
  sleep 0.5
  say "Redis goes on: its counter was $counter_before before, $counter_after after, and is $(counter redis) now."
}

look_into_the_archive() {
  title "The archive"
  show tar -tf "$work/redis.tar.zst" | sed '/^checkpoint\/./d; s/^checkpoint\/$/& and in it the memory image/'
  say "Its manifest says whether everything in it is of one instant:"
  show tar -xOf "$work/redis.tar.zst" still.json |
    jq -c '{consistent, pause_ms: (.pause_ns / 1e6 | floor), trees: [.trees[] | "\(.name), \(.bytes) bytes"]}'
  counter_file=$(tar -xOf "$work/redis.tar.zst" volumes/data.tar | tar -x --to-stdout --wildcards '*.incr.aof' |
    grep -ac '^counter')
  say "In Redis' file of that instant the counter has been incremented $counter_file times."
}

restore_beside() {
  title "Restored under another name, beside the original"
  show still container restore --import "$work/redis.tar.zst" --name copy --rename-volume data=copy-data
  show still ps
  counter_copy=$(counter copy)
  local original
  original=$(counter redis)
  sleep 1
  say "The copy goes on from that instant, with its clients still connected: its counter was $counter_copy when" \
    "first asked and is $(counter copy) a second later; the original's was $original and is $(counter redis). Both live."
}

compare_memory_and_file() {
  title "Do memory and files of the copy agree?"
  say "Its clients are stopped, its memory is asked for a digest of all keys and values. Then it is killed," \
    "and a new Redis that knows nothing but the file in the volume is asked the same."
  still exec copy killall redis-benchmark
  until [[ $(info copy aof_buffer_length) == 0 ]]; do sleep 0.1; done
  local memory file
  memory=$(digest_of copy)
  still kill --signal KILL copy >/dev/null
  still wait copy >/dev/null
  still run -d --name reloaded -e LOAD=no -v copy-data:/data --rootfs "$work/rootfs" /bin/redis-under-load >/dev/null
  until still logs reloaded 2>&1 | grep -q '^ready'; do sleep 0.1; done
  file=$(digest_of reloaded)
  printf '\n  memory of the copy    %s\n  read from its file    %s\n' "$memory" "$file"
  [[ $memory == "$file" ]] || {
    say "They differ: this checkpoint was torn."
    exit 1
  }
  say "They are the same. With memory and files of different instants, increments would be lost or counted twice" \
    "(and CRIU would have refused, because the file that Redis has open had another size)."
}

redis() {
  local name=$1
  shift
  still exec "$name" redis-cli -s "$socket" "$@"
}

counter() { redis "$1" get counter; }
info() { redis "$1" info | sed -n "s/\r$//; s/^$2://p"; }
digest_of() { printf '%s  %s keys  counter %s' "$(redis "$1" debug digest)" "$(redis "$1" dbsize)" "$(counter "$1")"; }

# Microseconds since it was last asked.
largest_gap() {
  local answers
  answers=$(still logs "$1" 2>/dev/null | grep -c gap_us= || true)
  still exec "$1" killall -USR1 pause_probe
  while [[ $(still logs "$1" 2>/dev/null | grep -c gap_us= || true) -eq $answers ]]; do sleep 0.05; done
  still logs "$1" 2>/dev/null | sed -n 's/^gap_us=//p' | tail -n 1
}

ms() { printf '%d ms' "$(($1 / 1000))"; }
size() { du -sh --apparent-size "$1" | cut -f1; }

bold='' plain=''
[[ ! -t 1 ]] || bold=$'\e[1m' plain=$'\e[0m'

title() { printf '\n%s--- %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '\n%s\n' "$*" | fold -s -w 96; }

# Runs a command and shows it first, with names that can be read.
show() {
  local word words=()
  for word in "$@"; do
    word=${word/#$work\//}
    if [[ $word == *[\ \&]* ]]; then words+=("'$word'"); else words+=("$word"); fi
  done
  printf '\n%s$ %s%s\n' "$bold" "${words[*]}" "$plain" >&3
  "$@"
}

main "$@"
