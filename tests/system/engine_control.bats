#!/usr/bin/env bats
# still stop, kill, wait, pause, unpause, rm; how containers are named, one and several at once.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

# A container that will not listen to TERM.
stubborn() {
  local name=$1
  shift
  still run -d --name "$name" "$@" --rootfs "$ROOTFS" \
    sh -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
}

# The number of clock ticks that the container's processes have been given so far.
ticks() { awk '{ print $14 + $15 }' "/proc/$(state "$1" Pid)/stat"; }

# --- stop, kill, wait -------------------------------------------------------------------------------

@test "stop: the signal first, then the exit code of the container" {
  check() {
    sleeper web --runtime "$RUNTIME"
    is "web" still stop web
    is "exited" state web Status
    is "0" state web ExitCode
    is "web" still stop web
  }
  for_each_runtime check
}

@test "stop kills what does not listen, after the time given" {
  check() {
    stubborn web --runtime "$RUNTIME"
    before=$SECONDS
    is "web" still stop --time 1 web
    [[ $((SECONDS - before)) -lt 8 ]]
    is "137" state web ExitCode
  }
  for_each_runtime check
}

@test "the container's own stop signal and time" {
  still run -d --name web --stop-signal USR1 --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'trap "exit 5" USR1; trap "exit 6" TERM; while :; do sleep 0.05; done'
  still stop web
  is 5 still wait web
  stubborn hard --stop-timeout 0 --runtime "$(any_runtime)"
  still stop hard
  is 137 still wait hard
}

@test "kill: SIGKILL, or any signal by name and number" {
  check() {
    sleeper web --runtime "$RUNTIME"
    is "web" still kill web
    is 137 still wait web
    still start web
    still kill --signal TERM web
    is 0 still wait web
    still run -d --name counter --runtime "$RUNTIME" --rootfs "$ROOTFS" \
      sh -c 'trap "echo got" HUP; echo ready; while :; do sleep 0.05; done'
    eventually sh -c 'still logs counter | grep ready'
    still kill -s 1 counter
    eventually sh -c 'still logs counter | grep got'
    still kill -s SIGKILL counter
  }
  for_each_runtime check
}

@test "kill and pause refuse what does not run" {
  still create --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" true
  fails_with "not running" still kill web
  fails_with "not running" still pause web
  fails_with "not paused" still unpause web
  sleeper up --runtime "$(any_runtime)"
  fails_with "signal" still kill -s FOO up
  fails_with "signal" still kill -s 99 up
  is "running" state up Status
}

@test "wait returns when the container ends, and prints each exit code" {
  check() {
    still run -d --name three --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'sleep 0.5; exit 3'
    still run -d --name zero --runtime "$RUNTIME" --rootfs "$ROOTFS" true
    is "$(printf '3\n0')" still wait three zero
  }
  for_each_runtime check
}

nothing_is_mounted() { [[ -z $(mounts_left) ]]; }

@test "a container that ends by itself is exited, by the kernel's word and without anybody asking" {
  check() {
    still run -d --name job --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'exit 9'
    eventually has_state job exited
    is 9 state job ExitCode
    [[ ! $(state job FinishedAt) < $(state job StartedAt) ]]
    # conmon's clean-up has been there: nothing is mounted any more.
    eventually nothing_is_mounted
  }
  for_each_runtime check
}

# --- pause, unpause ---------------------------------------------------------------------------------

@test "paused processes stand still and run on" {
  check() {
    still run -d --name busy --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'while :; do :; done'
    is "busy" still pause busy
    is "paused" state busy Status
    is "true" state busy Paused
    before=$(ticks busy)
    sleep 0.3
    is "$before" ticks busy
    fails_with "paused" still pause busy
    fails_with "paused" still exec busy true
    is "busy" still unpause busy
    is "running" state busy Status
    moves_on() { [[ $(ticks busy) -gt $before ]]; }
    eventually moves_on
  }
  for_each_runtime check
}

@test "a paused container can be killed and removed" {
  check() {
    sleeper web --runtime "$RUNTIME"
    still pause web
    still kill web
    is 137 still wait web
    sleeper other --runtime "$RUNTIME"
    still pause other
    still rm -f other
  }
  for_each_runtime check
}

@test "a container without a cgroup cannot be paused, and says why" {
  only_v2 "crun, which can do without cgroups, needs v2"
  sleeper web --cgroups=disabled
  fails_with "cgroup" still pause web
  is "running" state web Status
}

# --- rm ---------------------------------------------------------------------------------------------

@test "rm: not what runs, unless forced; directories are gone" {
  check() {
    sleeper web --runtime "$RUNTIME"
    fails_with "running" still rm web
    is "running" state web Status
    is "web" still rm -f web
    ends_with 1 still container exists web
    is "" ls "$STILL_ROOT/containers"
  }
  for_each_runtime check
}

@test "rm of what is not there" {
  fails_with "nope" still rm nope
  ends_with 0 still rm --ignore nope
  ends_with 0 still rm --force nope
}

@test "rm keeps named volumes and removes anonymous ones that are the container's" {
  still create --name a -v named:/n -v /anonymous --runtime "$(any_runtime)" --rootfs "$ROOTFS" true
  is 2 sh -c 'still volume ls -q | wc -l'
  still rm -v a
  is "named" still volume ls -q
}

# --- naming -----------------------------------------------------------------------------------------

@test "names, ids, unique prefixes of ids and --latest, wherever a container is named" {
  sleeper web --runtime "$(any_runtime)"
  id=$(still inspect --format '{{.Id}}' web)
  for name in web "$id" "${id:0:12}" "${id:0:3}"; do
    is "$id" still inspect --format '{{.Id}}' "$name"
    is "in" still exec "$name" echo in
    is "$name" still pause "$name"
    is "$name" still unpause "$name"
    still logs "$name"
    still container exists "$name"
  done
  is "in" still exec --latest echo in
  is "$id" still pause -l
  is "$id" still unpause -l
  is "$id" still stop -l
  is "$id" still start -l
  is "$id" still kill -l
  is 137 still wait -l
  is "$id" still rm -l
}

@test "a prefix that fits several containers is refused" {
  ids=()
  # Seventeen ids cannot all begin with different digits.
  for i in {1..17}; do
    ids+=("$(still create --name "c$i" --runtime "$(any_runtime)" --rootfs "$ROOTFS" true)")
  done
  prefix=$(printf '%s\n' "${ids[@]}" | cut -c1 | sort | uniq -d | head -n 1)
  [[ -n $prefix ]]
  fails_with "$prefix" still inspect --type container "$prefix" || fails_with "$prefix" still rm "$prefix"
  is 17 sh -c 'still ps -aq | wc -l'
  still rm -a
}

@test "several containers: each is named, an error does not stop the others" {
  sleeper one --runtime "$(any_runtime)"
  sleeper two --runtime "$(any_runtime)"
  still pause two
  run still pause one two
  [[ $status -eq 125 ]]
  is "paused" state one Status
  [[ $output == *"one"* && $output == *"Error: "* ]]
  still unpause one two
  is "$(printf 'one\ntwo')" still stop one two
  is "$(printf 'one\ntwo')" still rm one two one
}

@test "a name that does not exist: nothing is done to the others, each is reported" {
  sleeper one --runtime "$(any_runtime)"
  run still stop one nope nada
  [[ $status -eq 125 ]]
  is "running" state one Status
  [[ $(grep -c '^Error: ' <<<"$output") -eq 2 ]]
}

@test "--all means those that the command makes sense for" {
  still create --name new --runtime "$(any_runtime)" --rootfs "$ROOTFS" sleep 1000
  sleeper up --runtime "$(any_runtime)"
  up=$(still inspect --format '{{.Id}}' up)
  still pause --all
  is "paused" state up Status
  is "created" state new Status
  still unpause --all
  still kill --all
  is 137 still wait up
  still start --all
  is "running" state new Status
  still stop --time 1 --all
  is "exited" state up Status
  still rm --all
  is "" still ps -aq
}

@test "mistakes in naming" {
  for command in stop kill pause unpause rm start wait logs; do
    fails_with "" still "$command"
  done
  fails_with "" still stop --all web
  fails_with "" still rm --all --latest
  fails_with "" still stop --latest
  fails_with "--time" still stop --time soon web
  is "" still ps -aq
}

@test "the same commands below still container" {
  id=$(still container run -d --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" sleep 1000)
  is "${id:0:12}" still container ls -q
  is "${id:0:12}" still container ps -q
  is "in" still container exec web echo in
  is "web" still container pause web
  is "web" still container unpause web
  is "$id" still container inspect --format '{{.Id}}' web
  is "web" still container kill web
  is 137 still container wait web
  is "web" still container rm web
  ends_with 1 still container exists web
}
