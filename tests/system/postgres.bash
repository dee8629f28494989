# shellcheck shell=bash
# For the tests with PostgreSQL: a server under load, examined by its own means after a checkpoint: the copy, what is
# left of a copy after a crash, and the original. Loaded after helpers and workload; $ROOTFS/postgres is its root
# file system.

is_ready() { still logs "$1" 2>&1 | grep -q '^ready'; }

# start_postgres NAME VOLUME [FLAG...]
start_postgres() {
  local name=$1 volume=$2
  shift 2
  still run -d --name "$name" --runtime "$RUNTIME" --network none -v "$volume:/data" "$@" \
    "${postgres_flags[@]}" --rootfs "$ROOTFS/postgres" /bin/postgres-under-load
  eventually is_ready "$name"
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
  still run --rm --runtime "$RUNTIME" --network none -v "$1:/data" "${postgres_flags[@]}" \
    --rootfs "$ROOTFS/postgres" /postgres/pg_checksums --check -D /data/db | grep 'Bad checksums:  0'
}

# examine_postgres NAME VOLUME TRANSACTIONS: it works on, and after its shutdown every page is sound.
examine_postgres() {
  [[ $(transactions "$1") -ge $3 ]]
  eventually transacts_beyond "$1" "$(transactions "$1")"
  sums_agree "$1"
  structures_are_sound "$1"
  sums_agree "$1"
  no_complaint "$1"
  still stop --time 60 "$1"
  container_ends_with 0 "$1"
  pages_are_sound "$2"
}

no_complaint() { ! still logs "$1" 2>&1 | grep -E 'PANIC|corrupt|invalid page|pgbench: error'; }

# The server starts again on the files of one that was killed, as after a loss of power.
examine_postgres_after_crash() {
  local name=$1 volume=$2 before
  eventually transacts_beyond "$name" "$3"
  before=$(transactions "$name")
  still kill --signal KILL "$name"
  container_ends_with 137 "$name"
  start_postgres "recovered-$name" "$volume" -e LOAD=no
  still logs "recovered-$name" 2>&1 | grep 'automatic recovery in progress'
  [[ $(transactions "recovered-$name") -ge $before ]]
  sums_agree "recovered-$name"
  structures_are_sound "recovered-$name"
  no_complaint "recovered-$name"
  still stop --time 60 "recovered-$name"
  container_ends_with 0 "recovered-$name"
  pages_are_sound "$volume"
}

# postgres_survives RUNTIME [FLAG...]: with what its containers are to have.
postgres_survives() {
  local RUNTIME=$1 postgres_flags=("${@:2}") before
  start_postgres postgres data
  eventually transacts_beyond postgres 500
  before=$(transactions postgres)

  live_checkpoint postgres "$WORK/archive" --memory-cut=fork
  restore_copy "$WORK/archive" copy data
  restore_copy "$WORK/archive" crashed data
  examine_postgres copy copy "$before"
  examine_postgres_after_crash crashed crashed "$before"
  # The original went on meanwhile.
  examine_postgres postgres data "$before"
}
