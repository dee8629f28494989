#!/usr/bin/env bats
# cgroups: v2
# TCP connections in each state: what is certified comes back, and what is not is refused in words
# before anything stands still.

bats_require_minimum_version 1.5.0

load usual

# rules NAME ARGUMENT...: of the firewall that packets in the container pass.
rules() { nsenter --net --target "$(state "$1" Pid)" iptables --wait "${@:2}"; }
block() { rules one --append INPUT --proto tcp "$1" 7000 --jump DROP; }

# begin_connections STATE
begin_connections() {
  still run -d --name one --runtime "$RUNTIME" --network none --rootfs "$ROOTFS" /bin/connections "$1" >/dev/null
  case $1 in
    SYN_SENT | FIN_WAIT1 | LAST_ACK | CLOSING)
      eventually says one block
      block --dport
      block --sport
      still kill --signal USR2 one >/dev/null
      ;;
  esac
  if [[ $1 == CLOSING ]]; then
    eventually says one unblock
    rules one --delete INPUT 2
    still kill --signal USR2 one >/dev/null
  fi
  eventually says one ready
}

# ends_fine NAME: every byte arrives.
ends_fine() {
  rules "$1" --flush
  still kill --signal USR1 "$1" >/dev/null
  container_ends_with 0 "$1"
  still rm "$1" >/dev/null
}

# refused WORDS FLAG...: live and not, and not by CRIU.
refused() {
  local words=$1
  shift
  fails_with "$words" still checkpoint -R --dry-run "$@" one
  fails_with "$words" still checkpoint -R "$@" -e "$WORK/archive" one
  fails_with "$words" still checkpoint "$@" one
  [[ ! -e $WORK/archive && $(state one Status) == running ]]
}

state_comes_back() {
  local state=$1
  note "$RUNTIME: $state"
  begin_connections "$state"
  refused "add --tcp-established"
  live_checkpoint one "$WORK/archive" --tcp-established --compress none
  fails_with "--tcp-close" still restore -i "$WORK/archive" -n copy
  still restore --tcp-established -i "$WORK/archive" -n copy >/dev/null
  ends_fine copy
  still restore --tcp-close -i "$WORK/archive" -n copy >/dev/null
  [[ $(state copy Status) == running ]]
  still rm --force copy >/dev/null
  still checkpoint --tcp-established one >/dev/null
  fails_with "--tcp-close" still restore one
  still restore --tcp-established one >/dev/null
  ends_fine one
  rm "$WORK/archive"
}

open_connections() {
  local state
  for state in ESTABLISHED SYN_SENT FIN_WAIT1 FIN_WAIT2 LAST_ACK CLOSING; do state_comes_back "$state"; done
}
@test "connections that are open or half closed" {
  for_each_runtime open_connections
}

ended_connections() {
  local state
  for state in CLOSE RESET; do state_comes_back "$state"; done
}
@test "connections that are over, whose sockets are not closed" {
  for_each_runtime ended_connections
}

waiting_connections() {
  begin_connections WAITING
  refused "has not accepted" --tcp-established
  ends_fine one
}
@test "connections that nobody has accepted are refused" {
  for_each_runtime waiting_connections
}

nothing_open() {
  begin_connections TIME_WAIT
  live_checkpoint one "$WORK/archive" --compress none
  still restore -i "$WORK/archive" -n copy >/dev/null
  still rm --force copy one >/dev/null
  rm "$WORK/archive"
}
@test "connections that the kernel alone knows need no flag" {
  for_each_runtime nothing_open
}

# From nothing to a connection that is over, after the plan has looked.
comes_after_the_plan() {
  local words="that was not there before"
  mkdir -p "$WORK/host"
  [[ -p $WORK/host/go ]] || mkfifo "$WORK/host/go"
  for flags in "-R -e $WORK/archive" ""; do
    still run -d --name one --runtime "$RUNTIME" --network none -v "$WORK/host:/host" --rootfs "$ROOTFS" \
      sh -c 'read -r word </host/go; exec /bin/connections CLOSE' >/dev/null
    # shellcheck disable=SC2086
    fails_with "$words" at guarded "echo go >'$WORK/host/go'; sleep 2" "$STILL_TEST_PROGRAM" checkpoint $flags one
    [[ ! -e $WORK/archive ]]
    eventually says one ready
    ends_fine one
  done
}
@test "a connection that comes to its end after it was looked for" {
  for_each_runtime comes_after_the_plan
}
