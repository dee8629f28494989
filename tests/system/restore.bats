#!/usr/bin/env bats
# still container restore: every flag, what a restored container holds, and what failures leave.

bats_require_minimum_version 1.5.0

load usual

# The container's root file system as it sees it itself.
merged() { echo "$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' "$1")/merged"; }
volume() { echo "$STILL_ROOT/volumes/$1/_data"; }

@test "under its own name and id once the original is gone" {
  for runtime in $(runtimes); do
    start_ticker web --runtime "$runtime" -v data:/data
    id=$(still inspect --format '{{.Id}}' web)
    still exec web sh -c 'echo content >/data/file'
    still checkpoint -R -e "$WORK/web.tar" web
    fails_with "web" still restore -i "$WORK/web.tar"
    still rm -f web
    still volume rm data
    still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
    [[ $(still inspect --format '{{.Id}}' web) == "$id" ]]
    [[ $(still exec web cat /data/file) == content ]]
    alive web
    still rm -f web
    still volume rm data
  done
}

@test "what exec starts in a restored container has the seccomp filter of the others" {
  local expected
  for runtime in $(runtimes); do
    start_ticker web --runtime "$runtime" --network none
    expected=$(still exec web grep Seccomp /proc/self/status)
    [[ $expected == *$'\t2'* ]]
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" --rootfs "$ROOTFS" --name copy
    [[ $(still exec copy grep Seccomp /proc/self/status) == "$expected" ]]
    still rm -f copy
    still checkpoint web
    still restore web
    [[ $(still exec web grep Seccomp /proc/self/status) == "$expected" ]]
    still rm -f web
    start_ticker free --runtime "$runtime" --security-opt seccomp=unconfined
    still checkpoint free
    still restore free
    [[ $(still exec free grep Seccomp: /proc/self/status) == *0 ]]
    still rm -f free
  done
}

@test "a first process that asks for a signal at its parent's death lives on when it is restored" {
  local name pid
  for runtime in $(runtimes); do
    still run -d --name web --runtime "$runtime" --network none --rootfs "$ROOTFS" /bin/holder death 9
    eventually sh -c 'still logs web | grep -q child'
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" --rootfs "$ROOTFS" --name copy
    still checkpoint web
    still restore web
    sleep 0.3
    for name in web copy; do
      [[ $(still inspect --format '{{.State.Status}}' "$name") == running ]]
      pid=$(still inspect --format '{{.State.Pid}}' "$name")
      [[ $(wc -w <"/proc/$pid/task/$pid/children") -eq 1 ]]
    done
    still rm -f -t 0 web copy
  done
}

@test "--runtime of another kind is refused, another program of the same kind is used" {
  start_ticker web --runtime crun
  still checkpoint -R -e "$WORK/web.tar" web
  fails_with "which runc cannot restore" still restore -i "$WORK/web.tar" --rootfs "$ROOTFS" -n copy --runtime runc
  fails_with "--import" still restore --runtime crun web
  ln -s "$(command -v crun)" "$WORK/crun"
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS" -n copy --runtime "$WORK/crun"
  [[ $(still inspect --format '{{.OCIRuntime}}' copy) == "$WORK/crun" ]]
  alive copy
}

# A conmon that has nothing to say, because nothing ran, was waited for, as often as not.
@test "a restore that fails fails at once" {
  local begin
  for runtime in $(runtimes); do
    for _ in {1..5}; do
      still run -d --name web --runtime "$runtime" --network none --rootfs "$ROOTFS" \
        sh -c 'echo text >/note; exec 9</note; echo ready; while :; do sleep 0.1; done'
      eventually is ready still logs web
      still checkpoint web
      rm "$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' web)/upper/note"
      begin=$(date +%s%3N)
      fails_with note still restore web
      [[ $(($(date +%s%3N) - begin)) -lt 3000 ]]
      still rm -f web
    done
  done
}

@test "several copies of one archive side by side" {
  start_ticker web -v data:/data
  still exec web sh -c 'echo original >/data/file'
  still checkpoint -R -e "$WORK/web.tar" web
  for copy in a b; do
    still restore -i "$WORK/web.tar" -n "copy-$copy" --rename-volume "data=data-$copy"
  done
  still exec copy-a sh -c 'echo changed >/data/file'
  [[ $(still exec copy-b cat /data/file) == original ]]
  [[ $(still exec web cat /data/file) == original ]]
  alive web
  alive copy-a
  alive copy-b
}

@test "a volume that exists is refused, or used with --ignore-volumes" {
  start_ticker web -v data:/data
  still exec web sh -c 'echo old >/data/file'
  still checkpoint -R -e "$WORK/web.tar" web
  still exec web sh -c 'echo new >/data/file'
  fails_with "data" still restore -i "$WORK/web.tar" -n copy
  run still container exists copy
  [[ $status -eq 1 ]]
  still restore -i "$WORK/web.tar" -n copy --ignore-volumes 2>"$WORK/err"
  [[ $(still exec copy cat /data/file) == new ]]
  is "Warning: memory and files of container copy do not belong together: --ignore-volumes has left out data, and uses what is there" cat "$WORK/err"
  # Not of one whose volumes are restored, nor of one that has none.
  is "" sh -c "still restore -i '$WORK/web.tar' -n second --rename-volume data=data2 2>&1 >/dev/null"
  start_ticker bare
  still checkpoint -R -e "$WORK/bare.tar" bare
  is "" sh -c "still restore -i '$WORK/bare.tar' -n third --ignore-volumes 2>&1 >/dev/null"
}

@test "memory and output go on from the instant of the checkpoint" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar" web
  at_checkpoint=$(member "$WORK/web.tar" rootfs-diff.tar | tar -xOf - count)
  still restore -i "$WORK/web.tar" -n copy
  alive copy
  eventually sh -c "still logs copy | grep -Fx 'tick $((at_checkpoint + 3))'"
  # No step is left out and none comes twice, across checkpoint and restore.
  still logs copy | sed 's/tick //' >"$WORK/ticks"
  seq "$(head -1 "$WORK/ticks")" "$(tail -1 "$WORK/ticks")" | cmp - "$WORK/ticks"
}

# --- what is restored --------------------------------------------------------------------------------

# The ticker's own files and those that the engine mounts over are left aside.
compare_trees() {
  diff <("$BATS_TEST_DIRNAME/describe-tree" "$1" tmp count etc proc sys dev run) \
    <("$BATS_TEST_DIRNAME/describe-tree" "$2" tmp count etc proc sys dev run)
}

make_awkward_tree() {
  local long
  mkdir -p "$1/dir/sub" && cd "$1"
  echo text >plain
  : >empty
  ln plain hard
  ln -s plain soft
  ln -s /nowhere/at/all dangling
  mkfifo fifo
  chmod 4751 plain
  chmod 1777 dir
  chown 12:34 dir/sub
  touch -d '2001-02-03 04:05:06.123456789' plain dir/sub
  setfattr -n user.note -v "some value" plain
  setfacl -m u:77:rw plain
  truncate -s 3G sparse
  printf tail >>sparse
  echo newline >$'new\nline'
  echo bytes >$'bytes-\xff\xfe'
  # A path of 4,096 characters, longer than any one system call takes.
  long=$(printf 'd%.0s' {1..254})
  for _ in {1..16}; do mkdir "$long" && cd "$long"; done
  echo deep >end-of-path
  cd /
}

@test "root file system differences of every kind come back" {
  mkdir -p "$BATS_TEST_TMPDIR/base"
  cp -a "$ROOTFS/." "$BATS_TEST_TMPDIR/base"
  ROOTFS=$BATS_TEST_TMPDIR/base
  mkdir -p "$ROOTFS/lower/keep" "$ROOTFS/lower/gone/deep" "$ROOTFS/lower/opaque/old"
  echo base >"$ROOTFS/lower/changed"
  echo base >"$ROOTFS/lower/deleted"
  echo base >"$ROOTFS/lower/to-directory"
  mkdir "$ROOTFS/lower/to-file"
  printf x >"$ROOTFS/lower/"$'deleted\xff\n'
  start_ticker web
  inside=$(merged web)
  make_awkward_tree "$inside/awkward"
  echo changed >"$inside/lower/changed"
  rm "$inside/lower/deleted" "$inside/lower/"$'deleted\xff\n' "$inside/lower/to-directory"
  mkdir "$inside/lower/to-directory" && touch "$inside/lower/to-directory/new"
  rmdir "$inside/lower/to-file" && echo file >"$inside/lower/to-file"
  rm -r "$inside/lower/gone" "$inside/lower/opaque"
  mkdir "$inside/lower/opaque" && touch "$inside/lower/opaque/new"
  chmod 700 "$inside/lower/keep"
  chown 12:34 "$inside/lower/keep"
  setfattr -n user.note -v "of a directory" "$inside/lower/keep"
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy
  compare_trees "$inside" "$(merged copy)"
  [[ -e $(merged copy)/lower/opaque/new && ! -e $(merged copy)/lower/opaque/old ]]
  [[ ! -e $(merged copy)/lower/gone ]]
}

@test "volumes with awkward content come back" {
  start_ticker web -v data:/data
  make_awkward_tree "$(volume data)/awkward"
  chmod 2770 "$(volume data)"
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy --rename-volume data=copy
  compare_trees "$(volume data)" "$(volume copy)"
  [[ $(stat -c %a "$(volume copy)") == 2770 ]]
  [[ $(stat -c %b "$(volume copy)/awkward/sparse") -lt 1000 ]]
}

# node TYPE NUMBERS FILE
is_node() { [[ $(stat -c '%F %t:%T' "$3") == "$1 special file $2" ]]; }

@test "a whiteout in a volume comes back for anybody" {
  for runtime in $(runtimes); do
    start_ticker web --runtime "$runtime" -v data:/data
    still exec web mknod /data/whiteout c 0 0
    still checkpoint -R -e "$WORK/web.tar" web 2>"$WORK/said"
    [[ ! -s $WORK/said ]]
    still rm -f web
    still volume rm data
    still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
    is_node character 0:0 "$(volume data)/whiteout"
    alive web
    still rm -f web
    still volume rm data
  done
}

# start_with_nodes RUNTIME: nodes in all trees, and one in the tmpfs that is /dev.
start_with_nodes() {
  start_ticker web --runtime "$1" --cap-add MKNOD --cap-add SYS_ADMIN -v data:/data
  still exec web sh -c 'mkdir -p /srv/dev; cd /srv/dev; mknod null c 1 3; ln null again; mknod /data/disk b 7 5
    mknod /dev/shm/zero c 1 5; mknod /dev/other c 10 200'
  setfattr -n trusted.overlay.opaque -v y "$(volume data)"
}

has_its_nodes() {
  is_node character 1:3 "$(merged "$1")/srv/dev/again"
  is_node block 7:5 "$(volume "$2")/disk"
  still exec "$1" sh -c '[ -c /dev/shm/zero ] && [ -c /dev/other ]'
  [[ $(getfattr --only-values -n trusted.overlay.opaque "$(volume "$2")" 2>/dev/null) == y ]]
  alive "$1"
}

@test "device nodes and trusted attributes are named by the checkpoint, and come back for those that grant them" {
  for runtime in $(runtimes); do
    start_with_nodes "$runtime"
    [[ $(still checkpoint --dry-run -R -e "$WORK/web.tar" web) == *"devices    volume:data: disk, "*"MKNOD"* ]]
    still checkpoint -R -e "$WORK/web.tar" web 2>"$WORK/said"
    grep -q -- '--cap-add MKNOD.*rootfs has device nodes: srv/dev/again' "$WORK/said"
    grep -q -- '--cap-add MKNOD.*devshm has device nodes: zero' "$WORK/said"
    grep -q -- '--cap-add SYS_ADMIN.*volume:data has attributes trusted' "$WORK/said"
    [[ $(manifest "$WORK/web.tar" '.trees[] | select(.name == "rootfs") | .device_nodes.first[]') == srv/dev/again ]]
    still checkpoint -e "$WORK/ended.tar" web 2>"$WORK/said"
    grep -q -- '--cap-add MKNOD.*devshm has device nodes: zero' "$WORK/said"
    still restore web
    has_its_nodes web data
    still rm -f web
    still volume rm data
    for archive in web.tar ended.tar; do
      [[ $(still archive verify "$WORK/$archive") == *"device nodes in volumes/data.tar: disk"* ]]
      fails_with "device nodes in rootfs-diff.tar: srv/dev/again" \
        still restore -i "$WORK/$archive" --rootfs "$ROOTFS" --cap-add SYS_ADMIN
      fails_with "attributes trusted.* in volumes/data.tar" \
        still restore -i "$WORK/$archive" --rootfs "$ROOTFS" --cap-add MKNOD
      nothing_made
      still restore -i "$WORK/$archive" --rootfs "$ROOTFS" --cap-add MKNOD --cap-add SYS_ADMIN
      has_its_nodes web data
      still restore -i "$WORK/$archive" --rename-volume data=second -n copy --allow-spec --cap-add MKNOD
      has_its_nodes copy second
      still rm -f web copy
      still volume rm data second
    done
  done
}

@test "device nodes of a live checkpoint in the store come back in place, and are the container's alone" {
  for runtime in $(runtimes); do
    start_with_nodes "$runtime"
    still checkpoint -R web 2>"$WORK/said"
    [[ ! -s $WORK/said ]]
    still exec web rm /srv/dev/null /srv/dev/again /data/disk
    still stop -t 0 web
    still restore web
    has_its_nodes web data
    still rm -f web
    still volume rm data
  done
}

# Somebody else has put it there: the copy must not get the capability with which that was done.
@test "a grant for the sake of a device node is none for the container" {
  start_ticker web -v data:/data
  mknod "$(volume data)/null" c 1 3
  still checkpoint -R -e "$WORK/web.tar" web
  fails_with "CAP_MKNOD (device nodes in volumes/data.tar: null)" \
    still restore -i "$WORK/web.tar" -n copy --rename-volume data=copy
  fails_with "does not ask for --cap-add CAP_NET_RAW" \
    still restore -i "$WORK/web.tar" -n copy --rename-volume data=copy --cap-add MKNOD --cap-add NET_RAW
  still restore -i "$WORK/web.tar" -n copy --rename-volume data=copy --cap-add MKNOD
  is_node character 1:3 "$(volume copy)/null"
  run ! still exec copy mknod /data/more c 1 3
  still restore -i "$WORK/web.tar" -n without --ignore-volumes
  alive without
}

# start_with_flags RUNTIME: immutable and append-only files and directories, the volume itself among them.
start_with_flags() {
  local root
  start_ticker web --runtime "$1" -v data:/data
  still exec web sh -ec 'mkdir /data/fixed /etc/fixed
    for file in /data/log /data/fixed/file /etc/fixed/file; do echo text >$file; done
    ln /data/fixed/file /data/name'
  root=$(merged web)
  chattr +a "$(volume data)/log"
  chattr +i "$(volume data)"/{fixed/file,fixed,.} "$root"/etc/{fixed/file,fixed}
}

has_its_flags() {
  still exec "$1" sh -c 'echo more >>/data/log && ! rm /data/log && ! echo >/data/log && ! touch /data/new &&
    ! rm -f /data/fixed/file && ! touch /data/fixed/new && ! echo >>/data/name &&
    ! rm -f /etc/fixed/file && ! echo >>/etc/fixed/file && ! touch /etc/fixed/new' 2>/dev/null
  alive "$1"
}

@test "immutable and append-only files come back, in place too, and can be removed" {
  touch "$WORK/file"
  require "immutable files" chattr +i "$WORK/file"
  chattr -i "$WORK/file"
  for runtime in $(runtimes); do
    start_with_flags "$runtime"
    has_its_flags web
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" --rename-volume data=copy -n copy
    has_its_flags copy
    still rm -f copy
    still volume rm copy
    still checkpoint -R web
    still stop -t 0 web
    still restore web
    has_its_flags web
    still checkpoint -e "$WORK/ended.tar" web
    still restore web
    has_its_flags web
    still rm -f web
    still volume rm data
    still restore -i "$WORK/ended.tar" --rootfs "$ROOTFS"
    has_its_flags web
    still rm -f web
    still volume rm data
    [[ -z $(ls -A "$STILL_ROOT/volumes") ]]
  done
}

affinities() {
  local pid
  pid=$(still inspect --format '{{.State.Pid}}' "$1")
  for pid in "$pid" $(cat "/proc/$pid/task/$pid/children"); do taskset --cpu-list --pid "$pid"; done | sed 's/.*: //'
}

# The first process and one of its children, each on a processor of its own.
@test "what was bound to processors is bound to them from the first moment on" {
  local pid script
  require "two processors" taskset --cpu-list 1 true
  # Each says where it finds itself, whenever that is somewhere else than before.
  script='look() { last=; while :; do now=$(sed -n "s/^Cpus_allowed_list:.//p" /proc/self/status)
    [ "$now" = "$last" ] || echo "$1 on $now"; last=$now; sleep 0.01; done; }; look child & look parent'
  for runtime in $(runtimes); do
    still run -d --name web --runtime "$runtime" --network none --rootfs "$ROOTFS" sh -c "$script"
    eventually sh -c 'still logs web | grep -q child'
    pid=$(still inspect --format '{{.State.Pid}}' web)
    taskset --cpu-list --pid 0 "$pid" >/dev/null
    taskset --cpu-list --pid 1 "$(cut -d' ' -f1 "/proc/$pid/task/$pid/children")" >/dev/null
    eventually sh -c 'still logs web | grep -q "parent on 0$" && still logs web | grep -q "child on 1$"'
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" -n copy
    still checkpoint web
    still restore web
    sleep 0.3
    for name in web copy; do
      [[ $(affinities "$name" | head -n 2) == $'0\n1' ]]
      [[ $(still logs "$name" | grep -c ' on ') -eq 4 ]] || { still logs "$name"; return 1; }
    done
    still rm -f -t 0 web copy
  done
}

@test "/dev/shm and files under /run come back" {
  start_ticker web
  still exec web sh -c 'echo shared >/dev/shm/note; mkdir -p /run/app; echo pid >/run/app/pid'
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy
  [[ $(still exec copy cat /dev/shm/note) == shared ]]
  [[ $(still exec copy cat /run/app/pid) == pid ]]
}

# etc_of NAME: what the container sees of the engine's files in /etc, and how they are.
etc_of() { still exec "$1" sh -c 'cd /etc; stat -c "%a %s %n" hosts resolv.conf hostname; cat hosts resolv.conf hostname'; }

@test "what a container has written to the engine's files in /etc comes back, open or not" {
  local name before
  check() {
    start_ticker web --runtime "$RUNTIME" --hostname box
    still exec web sh -c 'echo "10.0.0.1 db" >>/etc/hosts; echo "nameserver 10.0.0.53" >/etc/resolv.conf
      echo other >/etc/hostname; chmod 640 /etc/resolv.conf'
    before=$(etc_of web)
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" -n longername --rootfs "$ROOTFS"
    still checkpoint -R web
    still exec web sh -c 'echo later >/etc/hosts'
    still stop -t 0 web
    still restore web
    [[ $(etc_of web) == "$before" ]]
    still checkpoint web
    still restore web
    [[ $(etc_of web) == "$before" ]]
    still stop -t 0 web longername
    still start web longername
    [[ $(etc_of web) == "$before" ]]
    # In the copy the engine's own line, and nothing else, knows the new name.
    [[ $(etc_of longername | sed 's/box longername$/box web/; /^640\|^644.*hosts$/d') == $(sed '/^640\|^644.*hosts$/d' <<<"$before") ]]
    [[ $(still exec longername cat /etc/hosts) == *"box longername"*"10.0.0.1 db" ]]
    still rm -f -t 0 web longername

    still run -d --name web --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c \
      'echo "nameserver 10.0.0.53" >>/etc/resolv.conf; exec 5</etc/hosts 6>>/etc/resolv.conf 7</etc/hostname
       echo ready; while :; do sleep 0.1; done'
    eventually sh -c 'still logs web | grep -q ready'
    before=$(etc_of web)
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" -n longername --rootfs "$ROOTFS"
    still checkpoint web
    still restore web
    for name in web longername; do [[ $(etc_of "$name") == "$before" ]]; done
    # Closed, it is renewed at the next start.
    still stop -t 0 longername
    still start longername
    still exec longername grep -q longername /etc/hosts
    [[ $(still exec longername cat /etc/hostname) == $(still exec longername hostname) ]]
  }
  for_each_runtime check
}

# shellcheck disable=SC2016  # the container's variables
@test "what looks like CRIU's or the engine's own and is the container's comes back" {
  local copied see
  # shellcheck disable=SC2016
  see='cat /cr-tmpfs.abcdef /tmp/cr-tmpfs.aBcDeF/file /run/.containerenv /run/secrets/key /etc/mtab /etc/hostname; ls -d /tmp/cr-tmpfs.*'
  check() {
    start_ticker web --runtime "$RUNTIME" --cap-add SYS_ADMIN
    still exec web sh -c 'echo 1 >/cr-tmpfs.abcdef; mkdir -p -m 700 /tmp/cr-tmpfs.empty1 /tmp/cr-tmpfs.aBcDeF /run/secrets
      echo 2 >/tmp/cr-tmpfs.aBcDeF/file; echo 3 >/run/.containerenv; echo 4 >/run/secrets/key; rm -f /etc/mtab; echo 5 >/etc/mtab
      umount /etc/hostname && echo 6 >/etc/hostname'
    [[ $(still exec web sh -c "$see") == $'1\n2\n3\n4\n5\n6\n/tmp/cr-tmpfs.aBcDeF\n/tmp/cr-tmpfs.empty1' ]]
    still checkpoint -R -e "$WORK/web.tar" web
    [[ $(manifest "$WORK/web.tar" .consistent) == true ]]
    still restore -i "$WORK/web.tar" -n copy --rootfs "$ROOTFS" --cap-add SYS_ADMIN
    still checkpoint -R web
    still stop -t 0 web
    still restore web
    for copied in web copy; do
      [[ $(still exec "$copied" sh -c "$see") == $'1\n2\n3\n4\n5\n6\n/tmp/cr-tmpfs.aBcDeF\n/tmp/cr-tmpfs.empty1' ]]
    done
    still rm -f -t 0 web copy
  }
  for_each_runtime check
}

@test "mounts come back whose source is a link, and whose destination is no canonical path" {
  local copied
  base=$WORK/base
  cp -a "$ROOTFS" "$base"
  mkdir -p "$WORK/real" "$base/run2" && ln -s real "$WORK/link" && ln -s /run2 "$base/link"
  echo here >"$WORK/real/file"
  check() {
    ROOTFS=$base start_ticker web --runtime "$RUNTIME" -v "$WORK/link:/a/../dir" -v "$WORK/link://link/deep/" -v data:/link/data \
      --tmpfs /link/./memory
    [[ $(still inspect --format '{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}' web) == *"$WORK/link:/dir $WORK/link:/link/deep "* ]]
    still exec web sh -c 'cat /dir/file /run2/deep/file; echo row >/link/data/rows; echo memory >/run2/memory/file'
    still checkpoint -R -e "$WORK/web.tar" web
    # The container may change the links.
    still exec web sh -c 'rm /link; mkdir /link'
    still checkpoint web
    still restore web
    still restore -i "$WORK/web.tar" -n copy --rootfs "$base" --rename-volume data=data2 \
      -v "$WORK/link:/dir" -v "$WORK/link:/link/deep"
    for copied in web copy; do
      [[ $(still exec "$copied" cat /dir/file /run2/deep/file /run2/data/rows /run2/memory/file) == $'here\nhere\nrow\nmemory' ]]
    done
    still rm -f -t 0 web copy
    still volume rm data data2
  }
  for_each_runtime check
  fails_with "two mounts on /run2/x" still run --rootfs "$base" -v "$WORK/link:/link/x" -v "$WORK/link:/run2/x" true
}

@test "a mounted file that was replaced is seen before a checkpoint that would lose it" {
  check() {
    echo one >"$WORK/conf"
    start_ticker web --runtime "$RUNTIME" -v "$WORK/conf:/conf"
    echo two >"$WORK/new" && mv "$WORK/new" "$WORK/conf"
    fails_with "$WORK/conf, which container web has mounted at /conf, was replaced" still checkpoint web
    still checkpoint -R -e "$WORK/web.tar" web
    still restore -i "$WORK/web.tar" -n copy --rootfs "$ROOTFS" -v "$WORK/conf:/conf"
    [[ $(still exec web cat /conf) == one && $(still exec copy cat /conf) == two ]]
    rm "$WORK/conf"
    fails_with "was removed" still checkpoint web
    fails_with "needs $WORK/conf, which does not exist here" still restore -i "$WORK/web.tar" -n other --allow-spec
    [[ ! -e $WORK/conf ]]
    alive web
    still rm -f -t 0 web copy

    # Open, it cannot be restored at all.
    echo one >"$WORK/conf"
    still run -d --name web --runtime "$RUNTIME" -v "$WORK/conf:/conf" --rootfs "$ROOTFS" sh -c \
      'exec 5</conf; echo ready; while :; do sleep 0.1; done'
    eventually sh -c 'still logs web | grep -q ready'
    still checkpoint -R -e "$WORK/web.tar" web
    echo two >"$WORK/new" && mv "$WORK/new" "$WORK/conf"
    fails_with "was replaced" still checkpoint -R -e "$WORK/web.tar" web
    still rm -f -t 0 web
  }
  for_each_runtime check
}

@test "an archive without the engine's files in /etc is restored with new ones" {
  start_ticker web --hostname box
  still exec web sh -c 'echo "10.0.0.1 db" >>/etc/hosts'
  still checkpoint -R --ignore-rootfs -e "$WORK/web.tar" web
  run -1 sh -c "tar -tf '$WORK/web.tar' | grep etc"
  still restore -i "$WORK/web.tar" -n copy --rootfs "$ROOTFS"
  [[ $(still exec copy tail -n 1 /etc/hosts) == *"box copy" ]]
}

@test "--tmpfs, --read-only, -u, -w, -e and --init survive" {
  # CRIU reads the limits of another user's processes, for which the kernel asks CAP_SYS_RESOURCE.
  # Where root lacks it (bit 24), the user stays root.
  user=12:34
  (( 16#$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1 )) || user=0:0
  still run -d --name web --read-only --tmpfs /scratch -u "$user" -w /var/lib -e COLOR=blue --init \
    --rootfs "$ROOTFS" /bin/sh -c 'echo mine >/scratch/file; while :; do sleep 0.1; done'
  eventually still exec web test -s /scratch/file
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy
  [[ $(still exec copy cat /scratch/file) == mine ]]
  [[ $(still exec copy sh -c 'echo $(id -u):$(id -g) $(pwd) $COLOR') == "$user /var/lib blue" ]]
  run still exec copy touch /file
  [[ $status -ne 0 ]]
}

# --- flags -----------------------------------------------------------------------------------------

@test "--keep keeps log and statistics, otherwise they go" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n gone
  [[ ! -s $(state gone RestoreLog) ]]
  still restore -k -i "$WORK/web.tar" -n kept
  [[ -s $(state kept RestoreLog) ]]
}

@test "--print-stats has Podman's keys" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar" web
  run still restore --print-stats -i "$WORK/web.tar" -n copy
  echo "$output"
  jq -e '.podman_restore_duration > 0' <<<"$output"
  jq -e '.container_statistics[0] | .runtime_restore_duration > 0 and .criu_statistics.restore_time > 0
         and (.criu_statistics | has("forking_time") and has("pages_restored"))' <<<"$output"
}

@test "--ignore-rootfs leaves the base as it is" {
  still run -d --name web --rootfs "$ROOTFS" /bin/sh -c 'while :; do sleep 1; done'
  still exec web touch /added
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy --ignore-rootfs
  run still exec copy test -e /added
  [[ $status -eq 1 ]]
}

@test "--rootfs names the base where it is here" {
  cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/moving"
  still run -d --name web --rootfs "$BATS_TEST_TMPDIR/moving" /bin/sh -c 'while :; do sleep 1; done'
  still checkpoint -R -e "$WORK/web.tar" web
  still rm -f web
  mv "$BATS_TEST_TMPDIR/moving" "$BATS_TEST_TMPDIR/moved"
  fails_with "$BATS_TEST_TMPDIR/moving" still restore -i "$WORK/web.tar" --allow-spec
  fails_with "/no/such/place" still restore -i "$WORK/web.tar" --rootfs /no/such/place
  fails_with "$WORK/web.tar" still restore -i "$WORK/web.tar" --rootfs "$WORK/web.tar"
  still restore -i "$WORK/web.tar" --rootfs "$BATS_TEST_TMPDIR/moved"
  [[ $(state web Status) == running ]]
}

@test "from an image; a store without it says which one is missing" {
  tar -C "$ROOTFS" -c . | still image import - busybox
  still run -d --name web busybox /bin/sh -c 'while :; do sleep 1; done'
  still exec web touch /added
  still checkpoint -R -e "$WORK/web.tar" web
  still restore -i "$WORK/web.tar" -n copy
  still exec copy test -e /added
  other=$(mktemp -d /tmp/o.XXXX)
  fails_with "busybox" still --root "$other" restore -i "$WORK/web.tar"
  [[ -z $(still --root "$other" ps -aq) ]]
  tar -C "$ROOTFS" -c . | still --root "$other" image import - busybox
  still --root "$other" restore -i "$WORK/web.tar"
  still --root "$other" exec web test -e /added
  still --root "$other" rm -f -t 0 web
  rm -rf "$other"
}

@test "flags that need --import say so, and later flags that they are not supported yet" {
  start_ticker web
  fails_with "--import" still restore --name copy web
  fails_with "--import" still restore --ignore-rootfs web
  fails_with "takes no container" still restore -i "$WORK/web.tar" web
  for flag in "--import-previous x" --ignore-static-ip --ignore-static-mac "-p 80" "--pod x"; do
    # shellcheck disable=SC2086
    fails_with "not supported yet" still restore $flag web
  done
}

@test "--rename-volume names a volume of the archive and a new one" {
  start_ticker web -v data:/data
  still checkpoint -R -e "$WORK/web.tar" web
  fails_with "OLD=NEW" still restore -i "$WORK/web.tar" -n copy --rename-volume data
  fails_with "no volume other" still restore -i "$WORK/web.tar" -n copy --rename-volume other=data2
  fails_with "no volume name" still restore -i "$WORK/web.tar" -n copy --rename-volume data=a/b
  fails_with "no container name" still restore -i "$WORK/web.tar" -n a/b --rename-volume data=data2
  is web still ps -a --format '{{.Names}}'
  is data still volume ls -q
}

# --- in the way ------------------------------------------------------------------------------------

@test "unknown, running and never checkpointed containers are refused" {
  fails_with "no such container" still restore nothing
  start_ticker web
  fails_with "running" still restore web
  still stop -t 0 web
  fails_with "no checkpoint" still restore web
  fails_with "cannot" still restore -i "$WORK/missing.tar"
}

@test "a damaged archive is refused before anything is made" {
  start_ticker web -v data:/data
  still checkpoint -R -e "$WORK/web.tar" web
  still rm -f web
  still volume rm data
  size=$(stat -c %s "$WORK/web.tar")
  # From the end: at the front lies room that means nothing.
  for distance in 30 2000 8000 15000; do
    cp "$WORK/web.tar" "$WORK/bad.tar"
    printf '\x55\xaa' | dd of="$WORK/bad.tar" bs=1 seek=$((size - distance)) conv=notrunc status=none
    run cmp -s "$WORK/web.tar" "$WORK/bad.tar"
    [[ $status -eq 1 ]]
    fails_with "cannot restore" still restore -i "$WORK/bad.tar"
    nothing_made
  done
  for length in 0 100 $((size / 2)) $((size - 15000)); do
    head -c "$length" "$WORK/web.tar" >"$WORK/short.tar"
    fails_with "cannot restore" still restore -i "$WORK/short.tar"
    nothing_made
  done
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
  alive web
}

@test "a truncated zstd or gzip archive is refused" {
  start_ticker web
  for kind in zstd gzip; do
    still checkpoint -R -c "$kind" -e "$WORK/web.tar" web
    head -c "$(($(stat -c %s "$WORK/web.tar") - 40))" "$WORK/web.tar" >"$WORK/short.tar"
    fails_with "" still restore -i "$WORK/short.tar" -n copy
    run still container exists copy
    [[ $status -eq 1 ]]
  done
}

@test "a restore that CRIU refuses leaves nothing but its log" {
  still run -d --name web -v data:/data --rootfs "$ROOTFS" /bin/sh -c 'exec 9>/open-file; while :; do sleep 0.1; done'
  eventually still exec web test -e /open-file
  still checkpoint -R -e "$WORK/web.tar" web
  still rm -f web
  still volume rm data
  before=$(find /sys/fs/cgroup -type d | sort)
  # The file that the process holds open is part of the difference that is left out.
  run still restore --ignore-rootfs -i "$WORK/web.tar" --rootfs "$ROOTFS"
  echo "$output"
  [[ $status -eq 125 && $output == *"log is "* ]]
  [[ -s $(sed 's/.*log is //' <<<"$output") ]]
  nothing_made
  [[ $(find /sys/fs/cgroup -type d | sort) == "$before" ]]
  still restore -i "$WORK/web.tar" --rootfs "$ROOTFS"
}

@test "a failed restore in place leaves the container exited and its checkpoint there" {
  still run -d --name web --rootfs "$ROOTFS" /bin/sh -c 'exec 9>/open-file; while :; do sleep 0.1; done'
  eventually still exec web test -e /open-file
  still checkpoint web
  upper=$STILL_ROOT/containers/$(still inspect --format '{{.Id}}' web)/upper
  mv "$upper/open-file" "$WORK/open-file"
  fails_with "CRIU" still restore web
  [[ $(state web Status) == exited && $(state web Checkpointed) == true ]]
  mv "$WORK/open-file" "$upper/open-file"
  still restore web
  [[ $(state web Status) == running ]]
}
