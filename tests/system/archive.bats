#!/usr/bin/env bats
# cgroups: v2
# still archive, and encrypted archives.
# cgroups: v2

bats_require_minimum_version 1.5.0

load usual

verify() { still archive verify "$@"; }

@test "archives of both ways and every compression are whole" {
  start_ticker web -v data:/data
  still exec web sh -c 'echo content >/data/file'
  for compression in zstd gzip none; do
    still checkpoint -R -c "$compression" -e "$WORK/live.$compression" web
    run -0 verify "$WORK/live.$compression"
    [[ $output == "$WORK/live.$compression: whole, "*" members, "*", container web, certified consistent; asks for --rootfs $ROOTFS" ]]
  done
  id=$(still inspect --format '{{.Id}}' web)
  still checkpoint -e "$WORK/stopped" web
  is "$id true true" verify --format '{{.ContainerID}} {{.Consistent}} {{.Digests}}' "$WORK/stopped"
}

@test "a checkpoint that is not certified consistent says so" {
  start_ticker web --cgroups disabled
  still checkpoint -R -e "$WORK/web.tar" web
  run -0 verify "$WORK/web.tar"
  [[ $output == *"NOT certified consistent: "* ]]
  is false verify --format '{{.Consistent}}' "$WORK/web.tar"
}

@test "verify touches nothing and needs no store" {
  start_ticker web
  still checkpoint -R -c none -e "$WORK/web.tar" web
  still pause web # it makes and moves a file itself
  before=$(find "$STILL_ROOT" "$WORK" | sort)
  STILL_ROOT=$WORK/none verify "$WORK/web.tar"
  "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged" entry rootfs-diff.tar file ../evil
  fails_with "../evil" verify "$WORK/forged"
  rm "$WORK/forged"
  [[ $(find "$STILL_ROOT" "$WORK" ! -name 'err.*' ! -name 'out.*' | sort) == "$before" ]]
  still unpause web
}

@test "what is damaged, cut off or missing is named" {
  start_ticker web
  still checkpoint -R -e "$WORK/web.tar.zst" web
  size=$(stat -c %s "$WORK/web.tar.zst")
  for cut in 0 100 $((64 << 10)) $((size / 2)) $((size - 1)); do
    head -c "$cut" "$WORK/web.tar.zst" >"$WORK/cut"
    fails_with "$WORK/cut" verify "$WORK/cut"
  done
  # In the manifest's frame and in the other, which begins at 64 KiB.
  for at in 300 $(((size + (64 << 10)) / 2)) $((size - 5)); do
    cp "$WORK/web.tar.zst" "$WORK/damaged"
    printf '\xff\x00\xff\x00' | dd of="$WORK/damaged" bs=1 seek="$at" conv=notrunc status=none
    fails_with "$WORK/damaged" verify "$WORK/damaged"
  done
  fails_with "No such file" verify "$WORK/nothing"
  fails_with "/dev/fd/" verify <(:)
  verify <(cat "$WORK/web.tar.zst") # a pipe is as good as a file
  run -125 verify "$WORK/cut" "$WORK/web.tar.zst"
  [[ $output == *": whole, "* ]]
}

# --- what is in it -----------------------------------------------------------------------------------

@test "ls names every member, as tar does, and the state of its digest" {
  start_ticker web -v data:/data
  still exec web sh -c 'mkdir /data/d; echo content >/data/d/file; ln -s /etc/passwd /data/link'
  still checkpoint -R -c none -e "$WORK/web.tar" web
  [[ $(still archive ls --format '{{.Name}}' "$WORK/web.tar" | sort) == "$(members "$WORK/web.tar" | sort)" ]]
  still archive ls -f json "$WORK/web.tar" |
    jq -e 'map(select(.Name != "still.json" and .Digest != "verified")) == []'
  still archive ls "$WORK/web.tar" | grep -E '^NAME +SIZE +DIGEST$'
  still archive ls "$WORK/web.tar" volumes/data.tar >"$WORK/tree"
  grep -E '^-rw-r--r-- +0:0 +8B +d/file$' "$WORK/tree"
  grep -E '^lrwxrwxrwx .* link -> /etc/passwd$' "$WORK/tree"
  fails_with "is no tree" still archive ls "$WORK/web.tar" config.dump
}

@test "ls shows which member is damaged" {
  start_ticker web
  still checkpoint -R -c none -e "$WORK/web.tar" web
  FORGE_DIGESTS=wrong "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged" put ctr.log "no more"
  run -125 --separate-stderr still archive ls --format '{{.Name}} {{.Digest}}' "$WORK/forged"
  [[ $output == *"ctr.log its size is not the one in the manifest"* && $output == *"config.dump verified"* ]]
  # shellcheck disable=SC2154 # of run
  [[ $stderr == "Error: $WORK/forged: 1 of the members not as the manifest says"* ]]
}

@test "cat and extract give a member, and a file of a tree, as they are" {
  start_ticker web -v data:/data
  still exec web sh -c 'echo content >/data/file; ln -s file /data/link; echo changed >/etc/motd'
  still checkpoint -R -c none -e "$WORK/web.tar" web
  for name in still.json config.dump volumes/data.tar checkpoint/pages-1.img; do
    cmp <(still archive cat "$WORK/web.tar" "$name") <(member "$WORK/web.tar" "$name")
  done
  is content still archive cat "$WORK/web.tar" volumes/data.tar file
  is changed still archive cat "$WORK/web.tar" rootfs-diff.tar /etc/motd
  still archive extract "$WORK/web.tar" volumes/data.tar -o "$WORK/data.tar"
  cmp "$WORK/data.tar" <(member "$WORK/web.tar" volumes/data.tar)
  [[ $(stat -c %a "$WORK/data.tar") == 600 ]]
  still archive extract "$WORK/web.tar" volumes/data.tar file -o "$WORK/file"
  [[ $(<"$WORK/file") == content ]]
  fails_with "exists already" still archive extract "$WORK/web.tar" volumes/data.tar -o "$WORK/file"
  [[ $(<"$WORK/file") == content ]]
  fails_with "symbolic link" still archive cat "$WORK/web.tar" volumes/data.tar link
  fails_with "no member" still archive cat "$WORK/web.tar" nothing
  fails_with "no file" still archive extract "$WORK/web.tar" volumes/data.tar nothing -o "$WORK/nothing"
  [[ ! -e $WORK/nothing ]]
}

@test "nothing of a damaged or encrypted archive comes out" {
  make_keys
  start_ticker web
  still checkpoint -R --encrypt-to "$recipient" -e "$WORK/web.age" web
  still archive cat --identity "$WORK/key" "$WORK/web.age" ctr.log | grep tick
  still archive ls --identity "$WORK/key" "$WORK/web.age" | grep ctr.log
  fails_with "the archive is encrypted" still archive cat "$WORK/web.age" ctr.log
  head -c -1 "$WORK/web.age" >"$WORK/cut"
  fails_with "$WORK/cut" still archive cat --identity "$WORK/key" "$WORK/cut" ctr.log
  fails_with "$WORK/cut" still archive extract --identity "$WORK/key" "$WORK/cut" ctr.log -o "$WORK/log"
  [[ ! -e $WORK/log && -z $(find /var/tmp -name '.still-*') ]]
}

@test "cat prints text to a terminal, and nothing else" {
  start_ticker web -v data:/data
  still exec web sh -c 'printf "\033[31mred" >/data/red; echo plain >/data/plain'
  still checkpoint -R -e "$WORK/web" web
  script -qec "still archive cat $WORK/web volumes/data.tar plain" /dev/null | grep plain
  run script -qec "still archive cat $WORK/web volumes/data.tar red" /dev/null
  [[ $output == *"not for a terminal"* && $output != *$'\033[31m'* ]]
}

@test "inspect shows what the container was, its processes and what they hold" {
  start_ticker web -v data:/data -v "$WORK:/host"
  still exec web sh -c 'rm /bin/yes; echo changed >/etc/motd; echo x >/data/file'
  still checkpoint -R -e "$WORK/web.tar.zst" web
  is "web true still" still archive inspect -f '{{.ContainerName}} {{.Consistent}} {{.Made.Engine}}' "$WORK/web.tar.zst"
  still archive inspect -f json "$WORK/web.tar.zst" >"$WORK/seen"
  jq -e '.Processes[0] | .PID == 1 and .Command[0:2] == ["/bin/sh", "-c"] and .Depth == 0 and .Program == "/usr/bin/busybox"' "$WORK/seen"
  jq -e '.Processes[0] | .StoredBytes > 0 and .MappedBytes > .StoredBytes and .Memory.stack.StoredBytes > 0' "$WORK/seen"
  jq -e '.Trees | map(select(.Member == "volumes/data.tar")) | .[0].Entries == 1' "$WORK/seen"
  jq -e '.RemovedPaths == 1 and .HostNetwork == false' "$WORK/seen"
  jq -e --arg bind "-v $WORK:/host" '.Demands | index($bind)' "$WORK/seen"
  still archive inspect "$WORK/web.tar.zst" >"$WORK/text"
  for text in "Container:  *web " "Made:  *20.* by still " "Consistent:  *certified" "^ *1  .*/bin/sh -c" \
    "^1  *1  *pipe" "^rootfs-diff.tar " "Removed or replaced in the root file system: 1 paths" "^flag  *-v $WORK:/host"; do
    grep -e "$text" "$WORK/text"
  done
}

@test "inspect shows sockets and locks, and the flags that a restore wants for them" {
  still run -d --name lock --rootfs "$ROOTFS" /bin/sh -c '
    nc -l -p 8080 & exec /bin/holder lock /held'
  eventually still exec lock sh -c 'test -e /held && cat /proc/net/tcp /proc/net/tcp6 | grep -i :1F90'
  eventually says lock locked
  still checkpoint -R --file-locks -e "$WORK/lock.tar" lock
  still archive inspect "$WORK/lock.tar" >"$WORK/text"
  grep -e "tcp  *.*:8080$" "$WORK/text"
  grep -e "^flag  *--file-locks: it holds 1$" "$WORK/text"
}

@test "inspect of damaged images is one line" {
  start_ticker web
  still checkpoint -R -c none -e "$WORK/web.tar" web
  "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged" put checkpoint/mm-1.img "no image"
  fails_with "checkpoint/mm-1.img" still archive inspect "$WORK/forged"
  "$BATS_TEST_DIRNAME/forge" "$WORK/web.tar" "$WORK/forged" image pstree.img 2 1
  fails_with "no tree" still archive inspect "$WORK/forged"
  fails_with "No such file" still archive inspect "$WORK/nothing"
}

@test "diff shows the processes, pages and files that differ" {
  still run -d --name web -v data:/data --rootfs "$ROOTFS" /bin/sh -c '
    sleep 1001 & until test -e /go; do sleep 0.02; done
    kill $!; sleep 1002 & touch /went; wait'
  still exec web sh -c 'echo 1 >/data/changed; echo 2 >/data/removed; echo 3 >/data/touched; truncate -s 1M /data/zeros'
  still checkpoint -R -c none -e "$WORK/before" web
  still exec web touch /go
  eventually still exec web test -e /went
  still exec web sh -c 'echo 4 >/data/changed; rm /data/removed; touch /data/touched; echo 5 >/data/added; dd if=/dev/zero of=/data/zeros bs=1M count=1'
  still checkpoint -R -e "$WORK/after" web
  still archive diff -f json "$WORK/before" "$WORK/after" >"$WORK/diff"
  jq -ce '.Trees | map(select(.Member == "volumes/data.tar")) | .[0] | [.Added, .Changed, .Removed]' "$WORK/diff" >"$WORK/data"
  [[ $(<"$WORK/data") == '[["added"],["changed"],["removed"]]' ]]
  jq -e '.Processes[0] | .PID == 1 and .Change == "same" and .DifferingPages > 0 and .EqualPages > .DifferingPages' "$WORK/diff"
  for change in 'removed sleep 1001' 'added sleep 1002'; do
    jq -r '.Processes[] | "\(.Change) \(.Command)"' "$WORK/diff" | grep -Fx "$change"
  done
  still archive diff "$WORK/before" "$WORK/after" >"$WORK/text"
  for line in "volumes/data.tar: 1 added, 1 changed, 1 removed" "A added" "C changed" "D removed"; do
    grep -Fx "$line" "$WORK/text"
  done
  still archive diff -f json "$WORK/before" "$WORK/before" |
    jq -e '[.Processes[].DifferingPages, (.Trees[] | (.Added, .Changed, .Removed | length))] | add == 0'
  "$BATS_TEST_DIRNAME/forge" "$WORK/before" "$WORK/forged" put checkpoint/pagemap-1.img "no image"
  fails_with "$WORK/forged" still archive diff "$WORK/before" "$WORK/forged"
}

# Of a live checkpoint most of them are written by Still, not by CRIU.
@test "checkpointctl and crit read archives of both ways" {
  start_ticker web -v data:/data
  for way in -R ""; do
    # shellcheck disable=SC2086
    still checkpoint $way -c gzip -e "$WORK/web.tar" web
    checkpointctl show "$WORK/web.tar" | grep -w web
    checkpointctl inspect --all "$WORK/web.tar" >"$WORK/inspected"
    grep -E '\[1\] .*sh' "$WORK/inspected"
    mkdir "$WORK/images"
    while read -r image; do
      still archive extract "$WORK/web.tar" "checkpoint/$image" -o "$WORK/images/$image"
      [[ $image == pages-* || $image != *.img || $image == *.tar.gz.img ]] || crit show "$WORK/images/$image" | jq -e .magic
    done < <(still archive ls -f '{{.Name}}' "$WORK/web.tar" | sed -n 's,^checkpoint/\(..*\),\1,p')
    crit x "$WORK/images" ps | grep -E '^ +1 +1 +1 +sh$'
    crit x "$WORK/images" fds | grep -F /dev/null
    crit x "$WORK/images" mems | grep -F /usr/bin/busybox
    rm -r "$WORK/images" "$WORK/web.tar"
  done
}

# --- encryption -------------------------------------------------------------------------------------

make_keys() {
  age-keygen -o "$WORK/key" 2>/dev/null
  age-keygen -o "$WORK/other-key" 2>/dev/null
  recipient=$(age-keygen -y "$WORK/key")
}

@test "an encrypted archive shows nothing, and opens with the identity alone" {
  make_keys
  start_ticker web -v data:/data -e SECRET=as-everybody-knows
  still exec web sh -c 'echo as-everybody-knows >/data/file'
  for way in -R ""; do
    # shellcheck disable=SC2086
    still checkpoint $way -c none --encrypt-to "$recipient" -e "$WORK/web.age" web
    [[ $(head -n 1 "$WORK/web.age") == age-encryption.org/v1 && $(stat -c %a "$WORK/web.age") == 600 ]]
    ! grep -q as-everybody-knows "$WORK/web.age"
    no_staging_left
    run -0 verify --identity "$WORK/key" "$WORK/web.age"
    [[ $output == *"certified consistent"* ]]
    fails_with "the archive is encrypted" verify "$WORK/web.age"
    fails_with "no identity matched" verify --identity "$WORK/other-key" "$WORK/web.age"
    fails_with "does not exist" verify --identity "$WORK/nothing" "$WORK/web.age"
    fails_with "add --identity" still restore -i "$WORK/web.age" -n copy --rename-volume data=copy
    fails_with "no identity matched" still restore -i "$WORK/web.age" --identity "$WORK/other-key" -n copy
    still restore -i "$WORK/web.age" --identity "$WORK/key" -n copy --rename-volume data=copy
    alive copy
    [[ $(still exec copy cat /data/file) == as-everybody-knows ]]
    still rm -f copy
    still volume rm copy
  done
}

@test "an encrypted archive that was changed or cut off is refused" {
  make_keys
  start_ticker web
  still checkpoint -R --encrypt-to "$recipient" -e "$WORK/web.age" web
  size=$(stat -c %s "$WORK/web.age")
  for cut in $((size / 2)) $((size - 1)); do
    head -c "$cut" "$WORK/web.age" >"$WORK/cut"
    fails_with "$WORK/cut" verify --identity "$WORK/key" "$WORK/cut"
  done
  cp "$WORK/web.age" "$WORK/damaged"
  fails_with "not a pipe" verify --identity "$WORK/key" <(cat "$WORK/web.age")
  printf '\xff' | dd of="$WORK/damaged" bs=1 seek=$((size / 2)) conv=notrunc status=none
  fails_with "$WORK/damaged" verify --identity "$WORK/key" "$WORK/damaged"
}

@test "recipients: several, from a file, of SSH; a wrong one is refused before anything happens" {
  make_keys
  local ssh="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN somebody"
  age-keygen -y "$WORK/other-key" >"$WORK/recipients"
  start_ticker web
  still checkpoint -R --encrypt-to "$WORK/recipients" --encrypt-to "$ssh" -e "$WORK/web.age" web
  verify --identity "$WORK/other-key" "$WORK/web.age"
  grep -q --text -- "^-> ssh-ed25519 " "$WORK/web.age"
  for wrong in age1wrong "$WORK/nothing" "$WORK/key" ""; do
    fails_with "age cannot encrypt to this recipient" still checkpoint --encrypt-to "$wrong" -e "$WORK/no.age" web
  done
  fails_with "--export" still checkpoint -R --encrypt-to "$recipient" web
  fails_with "--import" still restore --identity "$WORK/key" web
  [[ ! -e $WORK/no.age ]]
  alive web
}
