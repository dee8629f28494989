#!/usr/bin/env bats
# still create, run and start: what a container's process gets to see, by every flag, and how it ends.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

# inside [FLAG...] -- COMMAND...: what the command prints in a new container.
inside() {
  local flags=()
  while [[ $1 != -- ]]; do flags+=("$1"); shift; done
  shift
  still run --rm --runtime "${RUNTIME:-$(any_runtime)}" "${flags[@]}" --rootfs "$ROOTFS" "$@"
}

# --- the life of a container ------------------------------------------------------------------------

@test "run prints what the command prints and ends with its exit code" {
  check() {
    is "hello" inside -- echo hello
    ends_with 3 inside -- sh -c 'exit 3'
    # Process 1 cannot kill itself; what it runs can.
    ends_with 137 inside -- sh -c 'sh -c "kill -9 \$\$"; exit $?'
    inside -- sh -c 'echo out; echo err >&2' >"$WORK/out" 2>"$WORK/err"
    is out cat "$WORK/out"
    is err cat "$WORK/err"
  }
  for_each_runtime check
}

@test "what stays beside a container stands in no directory of its caller" {
  mkdir "$WORK/here"
  (cd "$WORK/here" && sleeper web)
  local process
  for process in $(pgrep -x conmon); do
    [[ $(readlink "/proc/$process/cwd") != "$WORK/here"* ]]
  done
}

@test "every byte of a long output arrives" {
  inside -- sh -c 'yes 0123456789 | head -n 200000' >"$WORK/out"
  is 200000 sh -c "grep -cx 0123456789 '$WORK/out'"
  is 2200000 stat -c %s "$WORK/out"
}

@test "standard input reaches the command with -i only" {
  is "through" sh -c "echo through | still run --rm -i --runtime $(any_runtime) --rootfs $ROOTFS cat"
  is "" sh -c "echo through | still run --rm --runtime $(any_runtime) --rootfs $ROOTFS cat"
}

@test "a command that does not exist is 127, one that cannot run 126" {
  check() {
    ends_with 127 inside -- /no/such/command
    ends_with 126 inside -- /etc
    [[ -z $(still ps -aq) ]]
  }
  for_each_runtime check
}

@test "-d prints the id and leaves the container running" {
  check() {
    id=$(still run -d --name web --runtime "$RUNTIME" --rootfs "$ROOTFS" sleep 1000)
    [[ ${#id} -eq 64 ]]
    is "$id" still inspect --format '{{.Id}}' web
    is "running" state web Status
    still kill web
    is 137 still wait web
  }
  for_each_runtime check
}

@test "create makes it, start runs it, again and again" {
  check() {
    id=$(still create --name job --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'echo run >>/log; cat /log')
    is "created" state job Status
    is "run" still start --attach job
    is "$(printf 'run\nrun')" still start --attach "${id:0:8}"
    is "job" still start job
    is 0 still wait job
    is "exited" state job Status
  }
  for_each_runtime check
}

@test "start --attach gives standard input with -i" {
  still create -i --name job --runtime "$(any_runtime)" --rootfs "$ROOTFS" cat >/dev/null
  is "text" sh -c 'echo text | still start -a -i job'
}

@test "--rm removes the container and its anonymous volumes, whatever its end" {
  inside -v /cache -- true
  ends_with 1 inside -v /cache -- false
  eventually test -z "$(still ps -aq)"
  is "" still volume ls -q
  still run -d --rm --name gone -v /cache --runtime "$(any_runtime)" --rootfs "$ROOTFS" true
  eventually sh -c '! still container exists gone'
  is "" still volume ls -q
}

@test "a signal to still run is passed on to the container" {
  still run --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done' >"$WORK/out" &
  client=$!
  eventually grep -q ready "$WORK/out"
  kill -TERM "$client"
  ends_with 7 wait "$client"
  is "exited" state web Status
}

@test "others work with a container while still run shows it" {
  still run --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'echo ready; while :; do sleep 0.05; done' >"$WORK/out" &
  client=$!
  eventually grep -q ready "$WORK/out"
  is "in" still exec web echo in
  still kill web
  ends_with 137 wait "$client"
}

@test "a terminal is one inside, and both streams are one" {
  # script(1) lends us a terminal, and shows what it makes of the end of its input, before or after
  # the output.
  on_terminal() { script -qec "$*" /dev/null </dev/null | tr -d '\r' | sed 's/\^[@D]//g; s/\x08//g; /^$/d'; }
  is "/dev/pts/0" on_terminal still run --rm -it --runtime "$(any_runtime)" --rootfs "$ROOTFS" tty
  is "$(printf 'out\nerr')" on_terminal "still run --rm -t --runtime $(any_runtime) --rootfs $ROOTFS sh -c 'echo out; echo err >&2' 2>/dev/null"
}

# --- what the process gets --------------------------------------------------------------------------

@test "environment: -e, own variables by name, --env-file, what was said last" {
  printf '# comment\nFILE=1\nBOTH=file\n' >"$WORK/env"
  export HERE=host
  # shellcheck disable=SC2016
  is "1 flag host two words" inside --env-file "$WORK/env" -e BOTH=flag -e HERE -e 'SPACE=two words' -e NOTHERE -- \
    sh -c 'echo "$FILE $BOTH $HERE $SPACE${NOTHERE+set}"'
  is "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" inside -- sh -c 'echo $PATH'
}

@test "working directory, user and group" {
  is "/tmp" inside -w /tmp -- pwd
  is "65534 65534" inside -u nobody -- sh -c 'echo $(id -u) $(id -g)'
  is "12 34" inside -u 12:34 -- sh -c 'echo $(id -u) $(id -g)'
  fails_with "nosuchuser" inside -u nosuchuser -- true
}

@test "--entrypoint: a program, a list, none" {
  is "a b" inside --entrypoint echo -- a b
  is "x y" inside --entrypoint '["echo", "x"]' -- y
  is "plain" inside --entrypoint '' -- echo plain
}

@test "host name: given, or the short id" {
  is "box" inside -h box -- hostname
  is "box" inside --hostname box -- cat /etc/hostname
  id=$(still create --name c --runtime "$(any_runtime)" --rootfs "$ROOTFS" hostname)
  is "${id:0:12}" still start -a c
}

@test "--init is process 1 and reaps" {
  require "an init program" command -v catatonit
  [[ $(inside --init -- cat /proc/1/comm) != cat ]]
  # An orphan that has ended is nobody's zombie.
  is "0" inside --init -- sh -c 'sh -c "true & exec sleep 0.2" & sleep 0.5; ps -o stat | grep -c Z || true'
}

@test "process 1 is the command itself without --init" {
  is "cat" inside -- cat /proc/1/comm
}

@test "networks: none has only the loopback, host has the host's" {
  is "lo" inside -- ls /sys/class/net
  is "lo" inside --network none -- ls /sys/class/net
  is "$(readlink /proc/self/ns/net)" inside --network host -- readlink /proc/self/ns/net
  [[ $(inside -- readlink /proc/self/ns/net) != "$(readlink /proc/self/ns/net)" ]]
}

@test "capabilities: Podman's, none, one more, all" {
  effective() { inside "$@" -- sed -n 's/^CapEff:\s*//p' /proc/self/status; }
  is "00000000800405fb" effective
  is "0000000000000000" effective --cap-drop all
  is "0000000000000001" effective --cap-drop all --cap-add chown
  is "00000000800415fb" effective --cap-add NET_ADMIN
}

@test "security options: seccomp is on unless switched off, no-new-privileges" {
  field() { inside "${@:2}" -- sed -n "s/^$1:\s*//p" /proc/self/status; }
  is 2 field Seccomp
  is 0 field Seccomp --security-opt seccomp=unconfined
  is 0 field NoNewPrivs
  is 1 field NoNewPrivs --security-opt no-new-privileges
}

@test "--ulimit" {
  is "100 200" inside --ulimit nofile=100:200 -- sh -c 'echo $(ulimit -S -n) $(ulimit -H -n)'
  is "0" inside --ulimit core=0 -- sh -c 'ulimit -c'
}

@test "--read-only protects the root file system, volumes and tmpfs stay writable" {
  ends_with 1 inside --read-only -- touch /file
  inside --read-only -v data:/data --tmpfs /scratch -- sh -c 'touch /data/file /scratch/file'
}

@test "--tmpfs and --shm-size" {
  # size_of DIR [FLAG...]: in kilobytes, and the type of the file system.
  size_of() { inside "${@:2}" -- df -k -T "$1" | awk 'END { print $3, $2 }'; }
  is "1024 tmpfs" size_of /scratch --tmpfs /scratch:size=1m
  is "2048 tmpfs" size_of /dev/shm --shm-size 2m
  is "65536 tmpfs" size_of /dev/shm
}

@test "masked and read-only paths of /proc and /sys" {
  local path masked=0
  for path in /proc/kcore /proc/keys /proc/timer_list /proc/latency_stats; do
    [[ -e $path ]] || continue
    is "0" inside -- sh -c "wc -c <$path"
    masked=$((masked + 1))
  done
  [[ $masked -gt 0 ]]
  ends_with 1 inside -- sh -c 'echo 1 >/proc/sys/kernel/dmesg_restrict'
  ends_with 1 inside -- sh -c 'mkdir /sys/fs/cgroup/nested'
}

# --- files ------------------------------------------------------------------------------------------

@test "--rootfs is never written to, and each container has a layer of its own" {
  before=$(find "$ROOTFS" -printf '%p %T@ %m %s\n' | sort | sha256sum)
  still create --name one --runtime "$(any_runtime)" --rootfs "$ROOTFS" sh -c 'echo mine >/own; rm /bin/vi; cat /own'
  is "mine" still start -a one
  ends_with 1 inside -- test -e /own
  inside -- test -e /bin/vi
  [[ $(find "$ROOTFS" -printf '%p %T@ %m %s\n' | sort | sha256sum) == "$before" ]]
}

@test "flags may follow --rootfs DIR, as the README has it" {
  check() {
    still run -d --name web --rootfs "$ROOTFS" --runtime "$RUNTIME" -v data:/var/lib/web /bin/sh -c 'echo "$0" "$1" >/var/lib/web/file' -v -d
    is 0 still wait web
    is "-v -d" still run --rm --rootfs --runtime "$RUNTIME" -v data:/data "$ROOTFS" cat /data/file
    is "file" still run --rm --rootfs "$ROOTFS" --runtime "$RUNTIME" -v data:/data ls -1 /data
  }
  for_each_runtime check
}

@test "named volumes are made when needed, shared, kept, and read-only when asked" {
  inside -v data:/data -- sh -c 'echo kept >/data/file'
  is "kept" inside -v data:/other:ro -- cat /other/file
  ends_with 1 inside -v data:/data:ro -- touch /data/more
  is "data" still volume ls -q
}

@test "a new volume takes over what the image has at its place" {
  inside -v fresh:/etc -- grep -q root /etc/passwd
}

@test "directories of the host, read-only too, and files" {
  mkdir "$WORK/dir"
  inside -v "$WORK/dir:/mnt" -- sh -c 'echo here >/mnt/file'
  is "here" cat "$WORK/dir/file"
  ends_with 1 inside -v "$WORK/dir:/mnt:ro" -- touch /mnt/more
  is "here" inside -v "$WORK/dir/file:/etc/single:ro" -- cat /etc/single
  cd "$WORK"
  is "here" inside -v ./dir:/mnt -- cat /mnt/file
}

@test "the engine's files in /etc" {
  inside -h box -- grep -q box /etc/hosts
  is "box" inside -h box -- cat /etc/hostname
  inside -- test -e /etc/resolv.conf
}

# --- cgroups ----------------------------------------------------------------------------------------

own_cgroup() {
  local hierarchy='^0::'
  [[ $(cgroup_version) == v2 ]] || hierarchy='^[0-9]*:freezer:'
  sed -n "s/$hierarchy//p" "/proc/$(state "$1" Pid)/cgroup"
}

@test "a container has a cgroup of its own below the parent, or none" {
  check() {
    sleeper web --runtime "$RUNTIME"
    id=$(still inspect --format '{{.Id}}' web)
    [[ $(own_cgroup web) == *"/still/$id"* ]]
    sleeper other --runtime "$RUNTIME" --cgroup-parent /still/group
    [[ $(own_cgroup other) == *"/still/group/"* ]]
  }
  for_each_runtime check
}

@test "--cgroups=disabled leaves the container in our cgroup" {
  only_v2 "crun, which can do without cgroups, needs v2"
  sleeper web --cgroups=disabled
  [[ $(own_cgroup web) != */still/* ]]
  still rm -f web
}

@test "limits that the machine has no controller for fail before anything is made" {
  # The environment may have these controllers or not; both answers are right, half a container is not.
  if still run -d --name web --pids-limit 50 --runtime "$(any_runtime)" --rootfs "$ROOTFS" sleep 100; then
    is 50 still inspect --format '{{.HostConfig.PidsLimit}}' web
  else
    [[ $(state web Status) != running ]]
  fi
}

# --- mistakes ---------------------------------------------------------------------------------------

@test "mistakes are one line and 125, and leave nothing" {
  run_it() { still run "$@"; }
  fails_with "no image named" run_it
  fails_with "nosuchimage" run_it nosuchimage true
  fails_with "/no/such/dir" run_it --rootfs /no/such/dir true
  fails_with "does not exist" run_it -v /no/such:/mnt --rootfs "$ROOTFS" true
  fails_with "invalid value" run_it -v a:b:c:d --rootfs "$ROOTFS" true
  fails_with "duplicate mount" run_it -v a:/x --tmpfs /x --rootfs "$ROOTFS" true
  fails_with "not supported" run_it --network bridge --rootfs "$ROOTFS" true
  fails_with "--publish is not supported" run_it -p 80:80 --rootfs "$ROOTFS" true
  fails_with "--restart is not supported" run_it --restart always --rootfs "$ROOTFS" true
  fails_with "--privileged is not supported" run_it --privileged --rootfs "$ROOTFS" true
  fails_with "unknown flag" run_it --bogus --rootfs "$ROOTFS" true
  fails_with "size" run_it --memory 5q --rootfs "$ROOTFS" true
  fails_with "FOO" run_it --cap-add FOO --rootfs "$ROOTFS" true
  fails_with "not supported" run_it --security-opt foo --rootfs "$ROOTFS" true
  fails_with "--ulimit" run_it --ulimit foo --rootfs "$ROOTFS" true
  fails_with "nosuchruntime" run_it --runtime nosuchruntime --rootfs "$ROOTFS" true
  fails_with "signal" run_it --stop-signal FOO --rootfs "$ROOTFS" true
  fails_with "name" run_it --name 'a b' --rootfs "$ROOTFS" true
  fails_with "command" run_it --rootfs "$ROOTFS"
  import_busybox
  fails_with 'begins with "-": -v' run_it busybox -v a:/x true
  fails_with 'begins with "-": -v' still create --rootfs --name web "$ROOTFS" -v a:/x true
  is "" still ps -aq
  is "" still volume ls -q
}

@test "a name that is taken is refused, and the hint names its holder" {
  sleeper web
  fails_with "web" still create --name web --rootfs "$ROOTFS" true
  is 1 sh -c 'still ps -aq | wc -l'
}
