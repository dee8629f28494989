#!/usr/bin/env bats
# Live checkpoints of containers into which exec has brought processes: these stand still with the
# rest, are left out, and go on.

bats_require_minimum_version 1.5.0

load usual

# copy_is_without PATTERN: a copy of the archive counts, and has no process like that.
copy_is_without() {
  still container restore --import "$WORK/archive" --name copy --file-locks >/dev/null
  alive copy
  ! still exec copy ps -o args | grep -v grep | grep -q "$1"
  still rm --force copy >/dev/null
}

# in_session NAME COMMAND...: in the background, its pid in $session, until the process is there.
in_session() {
  still exec "$@" >"$WORK/out" 2>&1 3>&- &
  session=$!
}
session_says() { grep -q "$1" "$WORK/out"; }

undisturbed_and_left_out() {
  local way
  start_ticker web --runtime "$RUNTIME"
  for way in $(memory_ways); do
    in_session web /bin/calls 1000 --no-aio
    eventually session_says ready
    live_checkpoint web "$WORK/archive" --memory-cut="$way" --compress none 2>"$WORK/warning"
    cat "$WORK/warning"
    [[ $(wc -l <"$WORK/warning") -eq 1 && $(<"$WORK/warning") == *exec*"(calls)"* ]]
    [[ $(manifest "$WORK/archive" '.left_out[0]') == *"(calls)" ]]
    # None of its system calls has ended.
    still exec web sh -c 'kill -TERM $(pidof calls)'
    wait "$session"
    cat "$WORK/out"
    copy_is_without calls
    rm "$WORK/archive"
  done
}
@test "sessions are left out of a live checkpoint, and no call of theirs ends" {
  for_each_runtime undisturbed_and_left_out
}

output_and_exit_code() {
  local way code
  start_ticker web --runtime "$RUNTIME"
  for way in $(memory_ways); do
    in_session web sh -c 'i=0; while [ $i -lt 300 ]; do echo $i; i=$((i + 1)); sleep 0.005; done; exit 7'
    eventually session_says 10
    live_checkpoint web "$WORK/archive" --memory-cut="$way"
    code=0
    wait "$session" || code=$?
    [[ $code -eq 7 ]]
    diff "$WORK/out" <(seq 0 299)
    copy_is_without "lt 300"
    rm "$WORK/archive"
  done
}
@test "a session's output, children and exit code are what they would have been" {
  for_each_runtime output_and_exit_code
}

all_succeed_beside_health_checks() {
  local i
  start_ticker web --runtime "$RUNTIME"
  (while [[ ! -e $WORK/enough ]]; do
    still exec web sh -c 'sleep 0.2; test -s /count' || echo failed >>"$WORK/checks"
    echo "done" >>"$WORK/checks"
    sleep 0.3
  done) 3>&- &
  for i in {1..20}; do
    live_checkpoint web "$WORK/archive" --compress none
    if ((i % 10 == 0)); then copy_is_without "test -s"; fi
    rm "$WORK/archive"
    sleep "0.0$((i % 10))"
  done
  touch "$WORK/enough"
  wait
  rm "$WORK/enough"
  note "$(grep -c "done" "$WORK/checks") health checks"
  ! grep failed "$WORK/checks"
}
@test "twenty live checkpoints beside health checks all succeed" {
  for_each_runtime all_succeed_beside_health_checks
}

runs_with_arguments() { still exec "$1" ps -o args | grep -v grep | grep -q "$2"; }

daemons_of_sessions() {
  local way
  start_ticker web --runtime "$RUNTIME"
  # One whose session goes on, and one that has a session of its own. They have nothing of the host's open.
  still exec -d web sh -c 'exec >/dev/null 2>&1; (sleep 1234 &); exec sleep 3333'
  still exec -d web sh -c 'exec >/dev/null 2>&1; setsid sleep 1235 &'
  eventually runs_with_arguments web "sleep 1234"
  eventually runs_with_arguments web "sleep 1235"
  for way in $(memory_ways); do
    live_checkpoint web "$WORK/archive" --memory-cut="$way"
    still container restore --import "$WORK/archive" --name copy >/dev/null
    runs_with_arguments copy "sleep 1234"
    runs_with_arguments copy "sleep 1235"
    ! runs_with_arguments copy "sleep 3333"
    still rm --force copy >/dev/null
    rm "$WORK/archive"
  done
  runs_with_arguments web "sleep 3333"
}
@test "a daemon that a session leaves belongs to the container, and is in the copy" {
  for_each_runtime daemons_of_sessions
}

# In the copy it is as if the session had ended at the cut.
a_pipe_has_lost_its_writer() {
  local way
  still run -d --name web --runtime "$RUNTIME" --rootfs "$ROOTFS" \
    sh -c 'mkfifo /pipe; while read -r line; do echo "got $line"; done </pipe; echo end; sleep 1000' >/dev/null
  eventually still exec web test -p /pipe
  in_session web sh -c 'exec 4>/pipe; echo one >&4; sleep 5; echo two >&4; sleep 1000'
  eventually says web "got one"
  for way in $(memory_ways); do
    live_checkpoint web "$WORK/archive" --memory-cut="$way"
    still container restore --import "$WORK/archive" --name copy >/dev/null
    eventually says copy end
    still rm --force copy >/dev/null
    rm "$WORK/archive"
  done
  eventually says web "got two"
  ! says web end
}
@test "what a session holds of the container has ended for the copy, and goes on for the original" {
  for_each_runtime a_pipe_has_lost_its_writer
}

# processes_with NAME PATTERN: pids of a container's processes with such arguments.
processes_with() {
  local pid
  while read -r pid; do
    ! grep -q "$2" "/proc/$pid/cmdline" || echo "$pid"
  done <"$(own_cgroup "$1")/cgroup.procs"
}

a_stopped_session_stays_stopped() {
  local way pid
  start_ticker web --runtime "$RUNTIME"
  in_session web sh -c 'echo ready; sleep 1; echo over'
  eventually session_says ready
  pid=$(processes_with web "echo over")
  kill -STOP "$pid"
  for way in $(memory_ways); do
    live_checkpoint web "$WORK/archive" --memory-cut="$way"
    grep "^State:.T" "/proc/$pid/status"
    copy_is_without "echo over"
    rm "$WORK/archive"
  done
  kill -CONT "$pid"
  wait "$session"
  session_says over
}
@test "a session that is stopped stays so" {
  only_v2 "v1 cannot freeze a stopped process for CRIU"
  for_each_runtime a_stopped_session_stays_stopped
}

terminal_is_a_reason() {
  start_ticker web --runtime "$RUNTIME"
  script -qec 'still exec -it web sh -c "(sleep 1234 &); sleep 1000"' /dev/null </dev/null >/dev/null 3>&- &
  eventually runs_with_arguments web "sleep 1234"
  fails_with "terminal" still checkpoint -R --dry-run web
  fails_with "terminal" still checkpoint -R -e "$WORK/archive" web
  alive web
  still exec web sh -c 'kill $(pidof sleep)' || true
}
@test "a process that has the terminal of a session is refused before anything stands still" {
  for_each_runtime terminal_is_a_reason
}

# A connection by a unix socket has two ends, and CRIU would need both.
unix_connections_are_a_reason() {
  local server way
  for server in accepting listening; do
    still run -d --name web --runtime "$RUNTIME" --rootfs "$ROOTFS" /bin/holder "$server" /socket >/dev/null
    eventually says web listening
    # Datagrams have one end: who sends them is not known to who gets them.
    in_session web /bin/holder datagrams /socket
    eventually session_says connected
    live_checkpoint web "$WORK/archive"
    still container restore --import "$WORK/archive" --name copy >/dev/null
    has_state copy running
    still rm --force copy >/dev/null
    rm "$WORK/archive"
    still exec -d web /bin/holder stream /socket
    eventually is 2 sessions_of web
    [[ $server == listening ]] || eventually says web accepted
    for way in auto stock; do
      fails_with "unix connection" still checkpoint -R --dry-run --memory-cut="$way" web
      fails_with "unix connection" still checkpoint -R -e "$WORK/archive" --memory-cut="$way" web
    done
    still exec web sh -c 'kill $(pidof holder | tr " " "\n" | grep -vx 1)'
    wait "$session" || true
    # The end of one that was never accepted stays in the queue, which CRIU cannot dump.
    if [[ $server == accepting ]]; then
      eventually live_checkpoint web "$WORK/archive"
      rm "$WORK/archive"
    fi
    still rm --force web >/dev/null
  done
}
sessions_of() { processes_with "$1" 'datagrams\|stream' | wc -l; }
@test "a unix connection with a session is refused before anything stands still" {
  for_each_runtime unix_connections_are_a_reason
}

@test "a default checkpoint is refused while a session is there, and afterwards is not" {
  start_ticker web
  still exec -d web sleep 1000
  fails_with "exec" still checkpoint web
  alive web
  still exec web sh -c 'kill $(pidof sleep)' || true
  eventually still checkpoint web
}
