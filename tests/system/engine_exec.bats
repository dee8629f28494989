#!/usr/bin/env bats
# still exec and still logs.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

# --- exec -------------------------------------------------------------------------------------------

@test "exec: output, errors, exit code" {
  check() {
    sleeper web --runtime "$RUNTIME"
    is "hello" still exec web echo hello
    still exec web sh -c 'echo out; echo err >&2' >"$WORK/out" 2>"$WORK/err"
    is "out" cat "$WORK/out"
    is "err" cat "$WORK/err"
    ends_with 7 still exec web sh -c 'exit 7'
    ends_with 127 still exec web /no/such/command
    ends_with 126 still exec web /etc
  }
  for_each_runtime check
}

@test "flags after the container belong to the command" {
  sleeper web --runtime "$(any_runtime)"
  is "-d --help ps" still exec web echo -d --help ps
  is "x" still exec -- web echo x
}

@test "standard input with -i only" {
  check() {
    sleeper web --runtime "$RUNTIME"
    is "text" sh -c 'echo text | still exec -i web cat'
    is "" sh -c 'echo text | still exec web cat'
  }
  for_each_runtime check
}

@test "environment, working directory, user" {
  sleeper web --runtime "$(any_runtime)" -e FROM=container -w /tmp -u 12:34
  printf 'FILE=1\n' >"$WORK/env"
  # shellcheck disable=SC2016
  is "container 2 1" still exec --env-file "$WORK/env" -e EXTRA=2 web sh -c 'echo $FROM $EXTRA $FILE'
  is "/tmp" still exec web pwd
  is "/var" still exec -w /var web pwd
  is "12 34" still exec web sh -c 'echo $(id -u) $(id -g)'
  is "0 0" still exec -u 0:0 web sh -c 'echo $(id -u) $(id -g)'
}

@test "-d leaves the command running" {
  check() {
    sleeper web --runtime "$RUNTIME"
    still exec -d web sh -c 'sleep 0.3; echo done >/done'
    eventually still exec web test -e /done
    # Whoever reads our output is not kept waiting, and a command that is none is told.
    is "" timeout 10 sh -c 'still exec -d web sleep 60 | cat'
    ends_with 127 still exec -d web /no/such/command
    [[ $(still exec -d web /no/such/command 2>&1) == *"/no/such/command"* ]]
  }
  for_each_runtime check
}

@test "-t gives the command a terminal" {
  sleeper web --runtime "$(any_runtime)"
  is "yes" sh -c "script -qec 'still exec -it web sh -c \"test -t 0 && test -t 1 && echo yes\"' /dev/null </dev/null | grep -o yes"
  ends_with 4 script -qec 'still exec -t web sh -c "exit 4"' /dev/null </dev/null
}

@test "several at once" {
  sleeper web --runtime "$(any_runtime)"
  pids=()
  for i in {1..8}; do
    still exec web sh -c "sleep 0.2; exit $i" &
    pids+=($!)
  done
  for i in {1..8}; do ends_with "$i" wait "${pids[i - 1]}"; done
}

@test "mistakes" {
  still create --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" true
  fails_with "not running" still exec web true
  fails_with "nope" still exec nope true
  fails_with "no command" still exec web
  fails_with "no container" still exec
  fails_with "unknown flag" still exec --bogus web true
  fails_with "not supported" still exec --privileged web true
}

# --- logs -------------------------------------------------------------------------------------------

talker() {
  still run -d --name talker --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'for i in 1 2 3; do echo "out $i"; echo "err $i" >&2; done; printf unfinished'
  still wait talker
}

@test "logs: both streams, apart, and the line without an end" {
  talker
  still logs talker >"$WORK/out" 2>"$WORK/err"
  is "$(printf 'out 1\nout 2\nout 3\nunfinished')" cat "$WORK/out"
  is "$(printf 'err 1\nerr 2\nerr 3')" cat "$WORK/err"
}

@test "logs --tail and --timestamps" {
  still run -d --name talker --runtime "$(any_runtime)" --rootfs "$ROOTFS" sh -c 'for i in 1 2 3; do echo "out $i"; done'
  still wait talker
  is "$(printf 'out 2\nout 3')" still logs --tail 2 talker
  is "" still logs --tail 0 talker
  is "$(printf 'out 1\nout 2\nout 3')" still logs --tail -1 talker
  still logs --timestamps talker | grep -E '^2[0-9]{3}-[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+) out 1$'
}

@test "logs --follow goes on until the end" {
  check() {
    still run -d --name talker --runtime "$RUNTIME" --rootfs "$ROOTFS" \
      sh -c 'for i in 1 2 3; do echo "out $i"; sleep 0.2; done; exit 3'
    is "$(printf 'out 1\nout 2\nout 3')" timeout 20 still logs --follow talker
    is "$(printf 'out 3')" timeout 20 still logs --follow --tail 1 talker
  }
  for_each_runtime check
}

@test "lines longer than any buffer come back whole" {
  still run -d --name talker --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; echo end'
  still wait talker
  is "100000 3" sh -c "still logs talker | awk 'NR == 1 { a = length } NR == 2 { b = length } END { print a, b }'"
}

@test "the log of every run of a container" {
  still create --name job --runtime "$(any_runtime)" --rootfs "$ROOTFS" echo again
  still start -a job
  still start -a job
  is "$(printf 'again\nagain')" still logs job
}

@test "--log-driver none keeps nothing" {
  still run -d --name quiet --log-driver none --runtime "$(any_runtime)" --rootfs "$ROOTFS" echo secret
  still wait quiet
  fails_with "no log" still logs quiet
  ends_with 1 grep -r secret "$STILL_ROOT/containers" --include=ctr.log
}
