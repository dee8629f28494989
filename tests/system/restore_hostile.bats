#!/usr/bin/env bats
# Archives that somebody has made to do harm: every kind is refused with one line that names what is
# wrong, by restore and, where it can be told without a store, by verify; the host is as before.
# cgroups: v2

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR/rootfs
  make_rootfs busybox "$ROOTFS"
}

teardown_file() { note "$(wc -l <"$BATS_FILE_TMPDIR/kinds") kinds of hostile archives"; }

# An archive of a container that is gone, and a file that an attacker wants.
setup() {
  begin_store
  start_ticker web -v data:/data
  still checkpoint -R -c none -e "$WORK/web.tar" web
  still rm -f web
  still volume rm data
  echo unharmed >"$WORK/victim"
  mkdir "$WORK/victims"
  echo unharmed >"$WORK/victims/inside"
  up=../../../../../../../../..
  host >"$BATS_TEST_TMPDIR/host"
}

teardown() {
  host | diff "$BATS_TEST_TMPDIR/host" -
  finish_store
}

# What an archive could reach: files with their times, mounts, cgroups, processes, kernel settings.
host() {
  find /etc /tmp /var/tmp /run /dev /root "$WORK" "$STILL_ROOT" -xdev \
    ! -path "$BATS_RUN_TMPDIR/*" ! -name 'forged.tar' ! -name 'err.*' ! -name 'out.*' ! -name 'still.db*' \
    ! -path "$STILL_ROOT/run*" ! -path "$STILL_ROOT/failures*" ! -path /dev/null ! -path "$WORK" ! -path /tmp ! -path "$STILL_ROOT/staging" \
    ! -path "$STILL_ROOT" ! -path "$STILL_ROOT/containers" ! -path "$STILL_ROOT/volumes" \
    -printf '%p %y %m %U:%G %s %C@ %l\n' 2>/dev/null | sort
  cat "$WORK/victim" "$WORK/victims/inside"
  awk '{ $1 = $2 = ""; print }' /proc/self/mountinfo
  find /sys/fs/cgroup -type d -path '*still*' | sort
  pgrep --count --exact 'conmon|crun|runc|criu' || true
  cat /proc/sys/kernel/core_pattern
}

forge() { "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged.tar" "$@"; }

refused() {
  fails_with "$1" timeout 60 still restore -i "$WORK/forged.tar" --rootfs "$ROOTFS" "${@:2}"
  nothing_made
  echo "$BATS_TEST_DESCRIPTION: $1" >>"$BATS_FILE_TMPDIR/kinds"
}

# forged TEXT ACTION...: verify and restore refuse the archive (forge says how it is made) with an
# error that has the text, whatever was granted to it.
forged() {
  forge "${@:2}"
  fails_with "$1" timeout 60 still archive verify "$WORK/forged.tar"
  refused "$1" --allow-spec
}

# wrong TEXT ACTION...: the same where only restore can know.
wrong() {
  forge "${@:2}"
  refused "$1" --allow-spec
}

# asks TEXT ACTION...: the archive is sound and asks for what its caller has not granted.
asks() {
  forge "${@:2}"
  [[ $(still archive verify --format '{{.Demands}}' "$WORK/forged.tar") == *"$1"* ]]
  refused "$1"
}

@test "members that reach outside" {
  forged "$up/tmp/evil" put "$up/tmp/evil" evil
  forged /tmp/evil put /tmp/evil evil
  forged checkpoint/../evil put checkpoint/../evil evil
  forged checkpoint/.. put checkpoint/.. evil
  forged checkpoint/./evil put checkpoint/./evil evil
  forged checkpoint//evil put checkpoint//evil evil
  forged volumes/../evil.tar put volumes/../evil.tar evil
  forged volumes/a/evil.tar put volumes/a/evil.tar evil
  forged ctr.log link ctr.log "$WORK/victim"
  forged checkpoint/evil link checkpoint/evil "$WORK/victim"
  forged checkpoint/evil link checkpoint/evil "$WORK" put checkpoint/evil/x evil
  forged checkpoint/parent link checkpoint/parent "$up$WORK/victims"
  forged ctr.log special ctr.log hard
  forged config.dump special config.dump hard
}

@test "members of kinds that do not belong there" {
  forged evil put evil evil
  forged 'a\nb' put 'checkpoint/a\nb' evil
  forged 'has a NUL' put 'checkpoint/a\0b' evil
  forged CONFIG.DUMP put CONFIG.DUMP evil
  forged ctr.log special ctr.log device
  forged ctr.log special ctr.log fifo
  forged ctr.log special ctr.log link
  forged config.dump special config.dump dir
  forged ctr.log special ctr.log setuid
  forged ctr.log special ctr.log capability
  forged ctr.log special ctr.log huge
  forged pages special checkpoint/pages-1.img huge
  forged "checkpoint/x/x" put "checkpoint/$(printf 'x/%.0s' {1..200})x" evil
  forged "malformed" put "checkpoint/$(printf 'x%.0s' {1..5000})" evil
}

@test "members twice, missing, or other than the manifest says" {
  forged config.dump again config.dump
  forged rootfs-diff.tar again rootfs-diff.tar
  forged still.json again still.json
  forged config.dump drop config.dump
  forged spec.dump drop spec.dump
  forged checkpoint/inventory.img drop checkpoint/inventory.img
  export FORGE_DIGESTS=wrong
  forged ctr.log put ctr.log "another log"
  forged config.dump put config.dump "{}"
  forged ctr.log drop ctr.log
  forged checkpoint/pages-99.img put checkpoint/pages-99.img evil
}

@test "streams that end early, late or never" {
  for pack in zstd gzip; do
    FORGE_PACK=$pack FORGE_CUT=-10 forged truncated put checkpoint/pages-99.img evil
    FORGE_PACK=$pack FORGE_CUT=20000 forged forged.tar put checkpoint/pages-99.img evil
    FORGE_PACK=$pack FORGE_TAIL="something else" forged forged.tar put checkpoint/pages-99.img evil
  done
  FORGE_CUT=1000 forged still.json put checkpoint/pages-99.img evil
  FORGE_TAIL="something else" forged "behind its end" put checkpoint/pages-99.img evil
  FORGE_PACK=xz forged "xz or bzip2" put checkpoint/pages-99.img evil
  # A terabyte of zeros behind the end takes a hundred megabytes of zstd at most, and an hour.
  cp "$WORK/web.tar" "$WORK/forged.tar"
  truncate --size=+1T "$WORK/forged.tar"
  fails_with "behind its end" timeout 60 still archive verify "$WORK/forged.tar"
  refused "behind its end" --allow-spec
}

@test "trees that reach outside" {
  for tree in rootfs-diff.tar volumes/data.tar devshm-checkpoint.tar; do
    forged "$up/tmp/evil" entry "$tree" file "$up/tmp/evil"
    forged /tmp/evil entry "$tree" file /tmp/evil
    forged "a/../../evil" entry "$tree" dir a file a/../../evil
    forged way-out/evil entry "$tree" link way-out "$WORK" file way-out/evil
    forged way-out/evil entry "$tree" link way-out .. file way-out/evil
    forged two/steps/evil entry "$tree" link steps "$WORK" link two . file two/steps/evil
    forged place entry "$tree" dir place link place "$WORK" file place/evil
    forged place entry "$tree" dir place file place/inside link place "$WORK/victims" file place/inside
    forged hard entry "$tree" hard hard "$up$WORK/victim"
    forged hard entry "$tree" hard hard "$WORK/victim"
    forged hard entry "$tree" link way-out "$WORK" hard hard way-out/victim
    forged hard entry "$tree" hard hard later file later
    forged hard entry "$tree" dir a hard hard a
    forged twice entry "$tree" file twice file twice
    forged twice entry "$tree" file twice file ./twice
    forged file/inside entry "$tree" file file file file/inside
    forged "$tree" put "$tree" "no tar"
  done
}

@test "trees with what does not belong there" {
  for tree in rootfs-diff.tar volumes/data.tar devshm-checkpoint.tar; do
    asks "device nodes in $tree: node" entry "$tree" device node
    asks "device nodes in $tree: a/node" entry "$tree" dir a block a/node hard a/name a/node
    asks "attributes trusted.* in $tree: marked" entry "$tree" trusted marked
    forged capabilities entry "$tree" caplink marked target
    forged deep entry "$tree" deep deep
  done
  # Another grant than the one that it takes.
  forge entry volumes/data.tar device node trusted marked
  refused "--cap-add CAP_MKNOD (device nodes in volumes/data.tar: node)" --cap-add SYS_ADMIN
  forged node entry artifacts/etc-files.tar device node
  forged "a whiteout" entry rootfs-diff.tar whiteout hidden
  forged nowhere/x entry volumes/data.tar file nowhere/x
  forged 'new\nline/x' entry volumes/data.tar file 'new\nline/x'
  forged 'has a NUL' entry volumes/data.tar file 'cut\0off/x'
}

@test "trees that would fill the disk" {
  # Nothing of it is there: a file system can hold it, and does.
  forge entry volumes/data.tar huge huge
  still archive verify "$WORK/forged.tar"
  still restore -i "$WORK/forged.tar" --rootfs "$ROOTFS"
  [[ $(du -s "$STILL_ROOT/volumes/data" | cut -f 1) -lt 1000 ]]
  still rm -f web
  still volume rm data
  # A million entries are read, and refused where the file system has no room for them.
  forge entry volumes/data.tar many d
  timeout 60 still archive verify "$WORK/forged.tar"
  mkdir "$WORK/small"
  mount -t tmpfs -o size=64m,nr_inodes=5000 tmpfs "$WORK/small"
  fails_with "No space left" timeout 60 still --root "$WORK/small/store" --runroot "$WORK/small/run" \
    restore -i "$WORK/forged.tar" --rootfs "$ROOTFS"
  [[ -z $(find "$WORK/small/store/volumes" "$WORK/small/store/staging" -mindepth 1) ]]
  umount "$WORK/small"
  rmdir "$WORK/small"
}

@test "deleted.files that lead outside" {
  forged victim put deleted.files "[\"$up$WORK/victim\"]"
  forged victim put deleted.files "[\"/$WORK/victim\"]"
  forged "a/../.." put deleted.files "[\"a/../../victim\"]"
  forged "remove" put deleted.files '[""]'
  forged "remove" put deleted.files '["."]'
  forged deleted.files put deleted.files "{}"
  forged deleted.files put deleted.files "[1]"
  forged deleted.files put deleted.files "[[[[["
}

@test "config.dump with settings that are none" {
  wrong id set id '"../../evil"'
  wrong id set id '"a"'
  wrong name set name '"../evil"'
  wrong volume set still.volumes '[{"volume": "../../evil", "destination": "/data", "readOnly": false}]'
  forged spec.dump set still.volumes '[{"volume": "data", "destination": "/", "readOnly": false}]'
  wrong cgroup set still.cgroupParent '"/../../evil"'
  wrong runtime set still.runtime '"evil"'
  wrong user set still.user '"no such user"'
  forged shmSizeBytes set still.shmSizeBytes -1
  forged config.dump set still.arguments '"text"'
  forged config.dump set still 1
  forged config.dump put config.dump "{"
  forged config.dump put config.dump "[]"
  forged "security option" set still.securityOptions '["evil"]'
  forged "capability" set still.addCapabilities '["CAP_EVIL"]'
}

# The container's own spec says the same then, or it would be refused for that.
asks_with() {
  local text=$1 key=$2 value=$3
  shift 3
  forge set "$key" "$value"
  while [[ $# -gt 0 ]]; do
    mv "$WORK/forged.tar" "$BATS_TEST_TMPDIR/step.tar"
    "$BATS_TEST_DIRNAME/forge" "$BATS_TEST_TMPDIR/step.tar" "$WORK/forged.tar" spec "$1" "$2"
    shift 2
  done
  [[ $(still archive verify --format '{{.Demands}}' "$WORK/forged.tar") == *"$text"* ]]
  refused "$text"
}

@test "config.dump that asks for the host" {
  local mounts
  mounts=$(member "$WORK/web.tar" spec.dump | jq --compact-output '.mounts + [{"destination": "/host", "type": "bind", "source": "/etc", "options": []}]')
  asks_with "-v /etc:/host" still.binds '[{"source": "/etc", "destination": "/host", "readOnly": false, "recursive": true}]' mounts "$mounts"
  asks_with "-v /etc:/host:ro" still.binds '[{"source": "/etc", "destination": "/host", "readOnly": true, "recursive": true}]' mounts "$mounts"
  asks_with "-v /no:/host (which was /etc)" still.binds '[{"source": "/no", "resolvedSource": "/etc", "destination": "/host", "readOnly": false, "recursive": true}]' mounts "$mounts"
  asks_with "--cap-add CAP_SYS_ADMIN" still.addCapabilities '["SYS_ADMIN"]'
  asks_with "--cap-add ALL" still.addCapabilities '["ALL"]'
  asks_with "--security-opt seccomp=unconfined" still.securityOptions '["seccomp=unconfined"]'
  asks_with "--network host" still.network '"host"'
  asks_with "--runtime /tmp/evil" still.runtime '"/tmp/evil"'
  asks_with "--cgroups disabled" still.cgroups false
  asks_with "--cgroup-parent /evil" still.cgroupParent '"/evil"'
  asks_with "--tmpfs /x:dev" still.tmpfs '[{"destination": "/x", "options": ["dev"]}]'
  # Its own base is asked for, too, if the caller does not name it.
  fails_with "--rootfs $ROOTFS" still restore -i "$WORK/web.tar"
}

@test "a runtime that only the archive names is not run" {
  printf '#!/bin/sh\ntouch %s\nexec crun "$@"\n' "$WORK/has-run" >"$WORK/evil"
  chmod +x "$WORK/evil"
  host >"$BATS_TEST_TMPDIR/host"
  forge set still.runtime "\"$WORK/evil\""
  refused "--runtime" --runtime runc
  refused "--runtime" --runtime crun
  refused "--runtime $WORK/evil"
  [[ ! -e $WORK/has-run ]]
}

@test "spec.dump that has more than config.dump" {
  local mounts namespaces capabilities
  mounts=$(member "$WORK/web.tar" spec.dump | jq --compact-output '.mounts + [{"destination": "/host", "type": "bind", "source": "/etc"}]')
  forged "/etc at /host" spec mounts "$mounts"
  forged "at /mnt" spec mounts '[{"destination": "/mnt", "type": "ext4", "source": "/dev/vda"}]'
  forged hooks spec hooks '{"createRuntime": [{"path": "/tmp/evil"}]}'
  namespaces='[{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]'
  forged "/proc/1/ns/pid" spec linux.namespaces "$namespaces"
  forged "/proc/1/ns/net" spec linux.namespaces "${namespaces//pid/net}"
  forged "mount" spec linux.namespaces '[{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]'
  capabilities='{"bounding": ["CAP_SYS_ADMIN"]}'
  forged CAP_SYS_ADMIN spec process.capabilities "$capabilities"
  forged CAP_SYS_ADMIN spec process.capabilities "${capabilities/bounding/ambient}"
  forged linux.devices spec linux.devices '[{"path": "/dev/vda", "type": "b", "major": 8, "minor": 0}]'
  forged linux.sysctl spec linux.sysctl '{"kernel.core_pattern": "|/tmp/evil"}'
  forged linux.rootfsPropagation spec linux.rootfsPropagation '"rshared"'
  forged "access to devices" spec linux.resources '{"devices": [{"allow": true, "access": "rwm"}]}'
  forged "unprotected /proc/" spec linux.maskedPaths '[]'
  forged "unprotected /proc/sys" spec linux.readonlyPaths '["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq"]'
  forged "spec.dump" spec linux 1
  forged spec.dump put spec.dump "{"
  forged spec.dump put spec.dump "[]"
  forged spec.dump put spec.dump "{}"
  member "$WORK/web.tar" spec.dump | jq --compact-output 'del(.linux.seccomp)' >"$BATS_TEST_TMPDIR/spec"
  forged "no seccomp filter" put spec.dump "$(cat "$BATS_TEST_TMPDIR/spec")"
}

@test "CRIU images that give more than the container has" {
  local allow_all=hex:060000000000ff7f # BPF_RET | BPF_K, SECCOMP_RET_ALLOW
  for set in 9 10 11 12; do asks "the capability CAP_SYS_ADMIN" image core-1.img "5.10.$set" 4294967295; done
  forged "no credentials" image core-1.img 5.10 -
  asks "no seccomp filter" image core-1.img 5.11 0
  asks "no seccomp filter" image core-1.img 5.11 -
  asks "a seccomp filter that allows" image seccomp.img 1.1 "$allow_all"
  forged "seccomp filter" image seccomp.img 1.1 hex:0000
  forged "a seccomp filter has flags that no checkpoint has" image seccomp.img 1.3 8
  asks "the host's mount namespace" image ids-1.img 9 6
  asks "the host's mount namespace" image ids-1.img 9 -
  asks "the host's pid namespace" image ids-1.img 5 1
  asks "the host's network namespace" image ids-1.img 6 2
  asks "a mount at /evil" more mountpoints- 1=16 2=999 3=1 4=95 5=0 6=/ 7=/evil 8=/dev/vda 9= 14=ext4
  asks "a mount at /evil" more mountpoints- 1=3 2=999 3=6 4=95 5=0 6=/ 7=/evil 8=devtmpfs 9=
  asks "a mount at /evil" more mountpoints- 1=1 2=999 3=6 4=95 5=0 6=/ 7=/evil 8=proc 9=
  asks "a mount at /evil" more mountpoints- 1=0 2=999 3=6 4=95 5=0 6=/etc 7=/evil 8=/etc 9= 13=1 18=CRIU:AUTOGENERATED
  asks "a way to write to /proc/sys" image mountpoints- 5 0
  asks "a view of /proc/timer_list" image mountpoints- 7 /elsewhere 7=/proc/timer_list
}

@test "CRIU images that give more of the machine than the container has" {
  asks "the nice value -5" image core-1.img 5.3 9
  asks "a real-time priority" image core-1.img 5.4 1
  asks "the OOM score adjustment -1000" image core-1.img 3.14 18446744073709550616
  asks "the security label spc_t" image core-1.img 5.10.15 spc_t
  asks "a packet socket" more files.img 1=10 2=999
  asks "a raw socket" more files.img 1=4 2=999 4=hex:2003
  asks "fanotify" more files.img 1=12 2=999
  asks "a watch of a file without a name" more files.img 1=8 2=999 13=hex:2a023a00
  asks "a tmpfs at /dev of more than its 64.0MiB" image mountpoints- 9 size=1048576k 7=/dev
  asks "a tmpfs at /dev of more than its 64.0MiB" image mountpoints- 9 mode=755 7=/dev
  asks "a mount at /evil" more mountpoints- 1=5 2=999 3=66 4=95 5=0 6=/ 7=/evil 8=tmpfs 9=
}

@test "CRIU images of kinds that nobody needs" {
  local name
  for name in binfmt-misc-9 binfmt-misc \
    apparmor autofs-5 userns-4 pidns-8 irmap-cache reg-files creds-1 unixsk; do
    forged "$name.img" put "checkpoint/$name.img" evil
  done
  forged evil.img put checkpoint/evil.img evil
  forged core-1x.img put checkpoint/core-1x.img evil
}

# iptables-restore takes the name of a program, for one. The container gets the network that its engine makes.
@test "CRIU images that set up a network are not looked at" {
  local name
  for name in ifaddr iptables ip6tables nftables netdev netns-ct netns-exp route route6 rule; do
    forge put "checkpoint/$name-10.img" evil
    mv "$WORK/forged.tar" "$WORK/web.tar"
  done
  forge image netns- 8 -
  still restore -i "$WORK/forged.tar" --rootfs "$ROOTFS"
  alive web
  is lo still exec web ls /sys/class/net
  still rm -f web
  still volume rm data
}

@test "CRIU images that leave a task outside of the container's cgroup" {
  forged "in no cgroup of the container" image core-1.img 5.16 -
  forged "in no cgroup of the container" image core-1.img 5.16 0
  forged "in no cgroup of the container" image core-1.img 5.16 77
  forged "in no cgroup of the container" image core-1.img 3.9 77
  forged "in no cgroup of the container" image inventory.img 5 "$(set_of_process_1)"
  forged "in no cgroup of the container" drop checkpoint/cgroup.img
}

set_of_process_1() {
  member "$WORK/web.tar" checkpoint/core-1.img >"$BATS_TEST_TMPDIR/core"
  python3 - "$BATS_TEST_TMPDIR/core" <<'END'
import sys
def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at
def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value
core = dict(fields(open(sys.argv[1], "rb").read()[12:]))
print(dict(fields(core[5]))[16])
END
}

# Whatever the image says of cgroups, the tasks come into the container's.
@test "CRIU images with cgroups of the host" {
  local id pid path cgroup
  for path in /other / /init /still; do
    forge image cgroup.img 1.2.2 "$path"
    still archive verify "$WORK/forged.tar"
    still restore -i "$WORK/forged.tar" --rootfs "$ROOTFS"
    id=$(still inspect --format '{{.Id}}' web)
    pid=$(still inspect --format '{{.State.Pid}}' web)
    for pid in "$pid" $(cat /proc/"$pid"/task/*/children); do
      cgroup=$(cat "/proc/$pid/cgroup") || continue # one that has ended
      [[ $cgroup == *"$id"* ]]
    done
    still pause web
    still unpause web
    still rm -f web
    still volume rm data
  done
}

@test "CRIU images that open the host" {
  forged files.img more files.img 1=16 2=999
  forged files.img more files.img 1=15 2=999
  forged ../../etc/shadow image files.img 3.6 /../../etc/shadow
  forged etc/shadow image files.img 3.6 etc/shadow
  forged files.img image files.img 3.9 1
  forged files.img drop checkpoint/files.img
  for name in "/../../evil" "../evil" "/evil"; do forged "$name" entry checkpoint/tmpfs- file "$name"; done
  asks "device nodes in checkpoint/tmpfs-" entry checkpoint/tmpfs- block node
  asks "device nodes in checkpoint/tmpfs-" entry checkpoint/tmpfs- device node
  forged trusted entry checkpoint/tmpfs- trusted marked
  forged way-out/evil entry checkpoint/tmpfs- link way-out "$WORK" file way-out/evil
}

# Deleted files that are still open: one that is empty, and a FIFO.
start_holder() {
  still run -d --name holder --rootfs "$ROOTFS" sh -c '
    exec 9>/gone; rm /gone; mkfifo /fifo; exec 8<>/fifo; rm /fifo; echo ready; while :; do sleep 0.05; done'
  eventually is ready still logs holder
}

@test "CRIU images that make a device of the host of a deleted file" {
  local mode
  start_holder
  still checkpoint -R -c none -e "$WORK/web.tar" holder
  still rm -f holder
  host >"$BATS_TEST_TMPDIR/host"
  for mode in 0060600 0020600 0000600 0170600; do forged ghost-file- image ghost-file- 3 $((mode)); done
  forged ghost-file- image ghost-file- 3 -
  still archive verify "$WORK/web.tar"
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
  still exec holder test -p /proc/1/fd/8 -a -f /proc/1/fd/9
  still rm -f holder
}

# forge_more ACTION...: the forged archive, changed once more.
forge_more() {
  mv "$WORK/forged.tar" "$BATS_TEST_TMPDIR/step.tar"
  "$BATS_TEST_DIRNAME/forge" "$BATS_TEST_TMPDIR/step.tar" "$WORK/forged.tar" "$@"
}

# CRIU makes it in the host's view of the container's trees, as root.
@test "CRIU images that make a deleted file behind a link that leads out" {
  still run -d --name holder --rootfs "$ROOTFS" -v data:/data --tmpfs /scratch sh -c '
    exec 9>/gone; rm /gone; ln -s /etc /scratch/way-out; echo ready; while :; do sleep 0.05; done'
  eventually is ready still logs holder
  still checkpoint -R -c none -e "$WORK/web.tar" holder
  still rm -f holder
  still volume rm data
  host >"$BATS_TEST_TMPDIR/host"
  forge entry rootfs-diff.tar link way-out "$WORK/victims"
  forge_more image files.img 3.6 /way-out/gone
  refused "way-out is a link" --allow-spec
  forge entry volumes/data.tar link way-out "$WORK/victims"
  forge_more image files.img 3.6 /data/way-out/gone
  refused "way-out is a link" --allow-spec
  forged "symbolic link" image files.img 3.6 /scratch/way-out/gone
}

@test "CRIU images that are none" {
  local file
  for file in inventory pstree files core-1 ids-1 seccomp; do
    forged "$file.img" put "checkpoint/$file.img" ""
    forged "$file.img" put "checkpoint/$file.img" "something else"
  done
  forged mountpoints- image mountpoints- 7 -
  forged namespaces image inventory.img 3 -
}

@test "the archive that all of them were made of is a good one" {
  still archive verify "$WORK/web.tar"
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
  alive web
  still rm -f web
  still volume rm data
}
