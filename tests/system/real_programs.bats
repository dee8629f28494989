#!/usr/bin/env bats
# Redis and PostgreSQL under load, checkpointed live and restored under another name, then examined
# by their own means: the copy, what is left of the copy after a crash, and the original.

bats_require_minimum_version 1.5.0

load helpers
load workload
load postgres

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR
  make_rootfs redis "$ROOTFS/redis"
  make_rootfs postgres "$ROOTFS/postgres"
}

setup() { begin_store; }

teardown() { finish_store; }

# start_redis NAME VOLUME [FLAG...]: with clients over a unix socket and over TCP.
start_redis() {
  local name=$1 volume=$2
  shift 2
  still run -d --name "$name" --runtime "$RUNTIME" --network none -v "$volume:/data" \
    -e PORT=6379 "$@" --rootfs "$ROOTFS/redis" /bin/redis-under-load
  eventually is_ready "$name"
}

redis() {
  local name=$1
  shift
  still exec "$name" redis-cli -s /run/redis.sock "$@"
}

redis_info() { redis "$1" info | sed -n "s/\r$//; s/^$2://p"; }

# counts_beyond NAME KEY NUMBER
counts_beyond() { [[ $(redis "$1" get "$2") -gt $3 ]]; }

# goes_on NAME: the clients of both kinds are being served.
goes_on() {
  local key
  for key in counter tcp_counter; do eventually counts_beyond "$1" "$key" "$(redis "$1" get "$key")"; done
}

# No client but ours, and the last buffer has been written to the append-only file.
has_come_to_rest() {
  [[ $(redis_info "$1" connected_clients) == 1 && $(redis_info "$1" aof_buffer_length) == 0 ]]
}

same() {
  [[ $2 == "$3" ]] || {
    echo "$1: $2 in memory, $3 from the file"
    return 1
  }
}

# examine_redis NAME VOLUME COUNTER KEYS: the server goes on and has at least what it had before, and its memory
# is exactly what its file makes of a new server. Kills the server: nothing is written at a shutdown.
examine_redis() {
  local name=$1 volume=$2 counter=$3 keys=$4 digest
  [[ $(redis "$name" ping) == PONG ]]
  [[ $(redis "$name" get counter) -ge $counter ]]
  [[ $(redis "$name" dbsize) -ge $keys ]]
  [[ $(redis_info "$name" aof_last_write_status) == ok ]]
  goes_on "$name"

  still exec "$name" killall redis-benchmark
  eventually has_come_to_rest "$name"
  digest=$(redis "$name" debug digest)
  counter=$(redis "$name" get counter)
  still kill --signal KILL "$name"
  container_ends_with 137 "$name"

  still run --rm --runtime "$RUNTIME" --network none -v "$volume:/data" --rootfs "$ROOTFS/redis" \
    redis-check-aof /data/appendonlydir/appendonly.aof.manifest | grep 'All AOF files and manifest are valid'
  start_redis "reloaded-$name" "$volume" -e LOAD=no
  same "counter" "$counter" "$(redis "reloaded-$name" get counter)"
  same "digest of all keys and values" "$digest" "$(redis "reloaded-$name" debug digest)"
  still stop "reloaded-$name"
  container_ends_with 0 "reloaded-$name"
}

redis_survives() {
  local RUNTIME=$1 counter keys
  start_redis redis data
  eventually counts_beyond redis counter 1000
  counter=$(redis redis get counter)
  keys=$(redis redis dbsize)

  live_checkpoint redis "$WORK/archive" --tcp-established --memory-cut=fork
  restore_copy "$WORK/archive" copy data --tcp-established
  examine_redis copy copy "$counter" "$keys"
  # The original went on meanwhile.
  examine_redis redis data "$counter" "$keys"
}

for runtime in $([[ ${STILL_TEST_CGROUP:-v2} == v1 ]] || echo crun) runc; do
  bats_test_function --description "Redis under load with $runtime" -- redis_survives "$runtime"
  bats_test_function --description "PostgreSQL under load with $runtime" -- postgres_survives "$runtime"
done
