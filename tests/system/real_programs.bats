#!/usr/bin/env bats
# Redis and PostgreSQL under load, checkpointed live and restored under another name, then examined
# by their own means: the copy, what is left of the copy after a crash, and the original.

bats_require_minimum_version 1.5.0

load helpers
load workload

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR
  make_rootfs redis "$ROOTFS/redis"
  make_rootfs postgres "$ROOTFS/postgres"
}

setup() { begin_store; }

teardown() { finish_store; }

is_ready() { still logs "$1" 2>&1 | grep -q '^ready'; }

# --- Redis

# start_redis NAME VOLUME [FLAG...]: with clients over a unix socket and over TCP.
start_redis() {
  local name=$1 volume=$2
  shift 2
  still run -d --name "$name" --runtime "$RUNTIME" --network none -v "$volume:/data" \
    -e PORT=6379 "$@" --rootfs "$ROOTFS/redis" /bin/redis-under-load
  wait_until 20 is_ready "$name"
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
  for key in counter tcp_counter; do wait_until 10 counts_beyond "$1" "$key" "$(redis "$1" get "$key")"; done
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
  wait_until 20 has_come_to_rest "$name"
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
  wait_until 10 counts_beyond redis counter 1000
  counter=$(redis redis get counter)
  keys=$(redis redis dbsize)

  live_checkpoint redis "$WORK/archive" --tcp-established --memory-cut=fork
  restore_copy "$WORK/archive" copy data --tcp-established
  examine_redis copy copy "$counter" "$keys"
  # The original went on meanwhile.
  examine_redis redis data "$counter" "$keys"
}

# --- PostgreSQL

# start_postgres NAME VOLUME [FLAG...]
start_postgres() {
  local name=$1 volume=$2
  shift 2
  still run -d --name "$name" --runtime "$RUNTIME" --network none -v "$volume:/data" "$@" \
    "${as_postgres[@]}" --rootfs "$ROOTFS/postgres" /bin/postgres-under-load
  wait_until 60 is_ready "$name"
}

# Postgres' own user where CRIU can dump it: tests/workload/not_root.c says when.
choose_user() {
  as_postgres=()
  capsh --has-p=cap_sys_resource 2>/dev/null || return 0
  as_postgres=(--user postgres)
  still run --rm --runtime "$RUNTIME" --network none -v "$1:/data" --rootfs "$ROOTFS/postgres" \
    chown postgres:postgres /data
}

sql() { still exec "$1" /postgres/psql -h /tmp -U postgres -d postgres -AtX -c "$2"; }

transactions() { sql "$1" "select count(*) from pgbench_history"; }
transacts_beyond() { [[ $(transactions "$1") -gt $2 ]]; }

# Every transaction of pgbench adds one number in four places: all sums agree at any instant.
sums_agree() {
  local sums
  sums=$(sql "$1" "select (select sum(delta) from pgbench_history), (select sum(abalance) from
    pgbench_accounts), (select sum(tbalance) from pgbench_tellers), (select sum(bbalance) from
    pgbench_branches)")
  [[ $sums =~ ^(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)\|(-?[0-9]+)$ ]] || return 1
  [[ ${BASH_REMATCH[2]} == "${BASH_REMATCH[1]}" && ${BASH_REMATCH[3]} == "${BASH_REMATCH[1]}" &&
    ${BASH_REMATCH[4]} == "${BASH_REMATCH[1]}" ]] || {
    echo "$1: history|accounts|tellers|branches: $sums"
    return 1
  }
}

# pg_amcheck: tables and indexes are sound and agree with each other.
structures_are_sound() {
  still exec "$1" /postgres/pg_amcheck -h /tmp -U postgres --install-missing --heapallindexed postgres
}

pages_are_sound() {
  still run --rm --runtime "$RUNTIME" --network none -v "$1:/data" "${as_postgres[@]}" \
    --rootfs "$ROOTFS/postgres" /postgres/pg_checksums --check -D /data/db | grep 'Bad checksums:  0'
}

# examine_postgres NAME VOLUME TRANSACTIONS: it works on, and after its shutdown every page is sound.
examine_postgres() {
  [[ $(transactions "$1") -ge $3 ]]
  wait_until 10 transacts_beyond "$1" "$(transactions "$1")"
  sums_agree "$1"
  structures_are_sound "$1"
  sums_agree "$1"
  no_complaint "$1"
  still stop --time 30 "$1"
  container_ends_with 0 "$1"
  pages_are_sound "$2"
}

no_complaint() { ! still logs "$1" 2>&1 | grep -E 'PANIC|corrupt|invalid page|pgbench: error'; }

# The server starts again on the files of one that was killed, as after a loss of power.
examine_postgres_after_crash() {
  local name=$1 volume=$2 before
  wait_until 10 transacts_beyond "$name" "$3"
  before=$(transactions "$name")
  still kill --signal KILL "$name"
  container_ends_with 137 "$name"
  start_postgres "recovered-$name" "$volume" -e LOAD=no
  still logs "recovered-$name" 2>&1 | grep 'automatic recovery in progress'
  [[ $(transactions "recovered-$name") -ge $before ]]
  sums_agree "recovered-$name"
  structures_are_sound "recovered-$name"
  no_complaint "recovered-$name"
  still stop --time 30 "recovered-$name"
  container_ends_with 0 "recovered-$name"
  pages_are_sound "$volume"
}

postgres_survives() {
  local RUNTIME=$1 before as_postgres
  choose_user data
  start_postgres postgres data
  wait_until 10 transacts_beyond postgres 500
  before=$(transactions postgres)

  live_checkpoint postgres "$WORK/archive" --memory-cut=fork
  restore_copy "$WORK/archive" copy data
  restore_copy "$WORK/archive" crashed data
  examine_postgres copy copy "$before"
  examine_postgres_after_crash crashed crashed "$before"
  # The original went on meanwhile.
  examine_postgres postgres data "$before"
}

for runtime in $([[ ${STILL_TEST_CGROUP:-v2} == v1 ]] || echo crun) runc; do
  bats_test_function --description "Redis under load with $runtime" -- redis_survives "$runtime"
  bats_test_function --description "PostgreSQL under load with $runtime" -- postgres_survives "$runtime"
done
