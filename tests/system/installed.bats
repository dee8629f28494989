#!/usr/bin/env bats
# cgroups: v2
# The Debian package, installed in a root that knows nothing of the checkout.

load helpers

setup_file() {
  export CHECKOUT=$BATS_TEST_DIRNAME/../..
  "$CHECKOUT/tools/dev/package"
  make_fresh_root
}

teardown_file() {
  kill "$HOLDER"
  umount --recursive --lazy "$FRESH"
  rmdir /sys/fs/cgroup/still 2>/dev/null || true
}

# What the environment has of Debian's packages, writable, with a store and a /run of its own.
make_fresh_root() {
  export FRESH=$BATS_FILE_TMPDIR/fresh
  mkdir -p "$FRESH" "$BATS_FILE_TMPDIR"/{upper,work,store,web-root}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$BATS_FILE_TMPDIR/upper,workdir=$BATS_FILE_TMPDIR/work" "$FRESH"
  mkdir -p "$FRESH"/{proc,sys,dev,run,tmp,var/lib/still,srv/web-root}
  mount -t proc proc "$FRESH/proc"
  mount --rbind /sys "$FRESH/sys"
  mount --rbind /dev "$FRESH/dev"
  mount -t tmpfs tmpfs "$FRESH/run"
  mount -t tmpfs tmpfs "$FRESH/tmp"
  mount --bind "$BATS_FILE_TMPDIR/store" "$FRESH/var/lib/still"
  cp -a "$("$BATS_TEST_DIRNAME/rootfs/make" busybox)/." "$BATS_FILE_TMPDIR/web-root"
  mount --bind "$BATS_FILE_TMPDIR/web-root" "$FRESH/srv/web-root"
  cp "$CHECKOUT"/build/packages/still_*.deb "$FRESH/tmp/still.deb"
  # CRIU wants a root that is the one of its mount namespace.
  unshare --mount sh -c 'cd "$1" && pivot_root . mnt && umount --lazy /mnt && exec sleep 1000' sh "$FRESH" 3>&- &
  export HOLDER=$!
  eventually in_fresh test -e /srv/web-root
}

in_fresh() {
  nsenter --mount="/proc/$HOLDER/ns/mnt" env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

@test "the package has the program, its parts, manuals and completion" {
  dpkg-deb --contents "$FRESH/tmp/still.deb" | awk '{ print $6 }' >"$BATS_TEST_TMPDIR/files"
  for file in bin/still lib/still/libstill_criu_preload.so lib/still/still_question share/man/man1/still.1 \
    share/man/man1/still-checkpoint.1 share/bash-completion/completions/still \
    share/zsh/vendor-completions/_still share/fish/vendor_completions.d/still.fish share/doc/still/README.md; do
    # debhelper compresses texts of more than 4 KiB.
    grep -Ex "\./usr/$file(\.gz)?" "$BATS_TEST_TMPDIR/files" || { echo "missing: $file"; return 1; }
  done
  [[ $(stat --format=%s "$FRESH/tmp/still.deb") -lt $((10 << 20)) ]]
}

# README's steps. dpkg refuses a package whose dependencies are not there.
@test "installed, it works at once, and goes without a trace" {
  local before file
  before=$(find "$FRESH/usr" "$FRESH/etc" | sort)
  in_fresh dpkg --install /tmp/still.deb
  in_fresh still --version
  in_fresh sh -c 'cd /tmp && still run -d --name web --rootfs /srv/web-root -v data:/data sh -c "while :; do date >/data/now; sleep 0.1; done" &&
    still checkpoint -R -e web.tar.zst web && still archive verify web.tar.zst &&
    still restore -i web.tar.zst --name web-copy --rename-volume data=data-copy' 3>&-
  is $'web\nweb-copy' in_fresh sh -c "still ps --format '{{.Names}}' | sort"
  in_fresh still rm --force --all --time 0
  in_fresh still volume prune --force
  # CRIU was helped by what is installed beside the program.
  in_fresh still info | grep -E 'protect|fork'
  in_fresh dpkg --purge still
  file=$(diff <(echo "$before") <(find "$FRESH/usr" "$FRESH/etc" | sort) | grep '^>' || true)
  [[ -z $file ]] || { echo "left: $file"; return 1; }
}

# complete WORD...: what bash offers for the last one.
complete() {
  # shellcheck disable=SC2016
  in_fresh bash -c 'source /usr/share/bash-completion/completions/still; COMP_WORDS=(still "$@") COMP_CWORD=$#; _still
    printf "%s\n" "${COMPREPLY[@]}"' complete "$@"
}

@test "bash completes commands, flags, values and names" {
  in_fresh dpkg --install /tmp/still.deb
  in_fresh still volume create dates
  is $'checkpoint\ncheckpoints' complete che
  is --compress complete checkpoint --compr
  is zstd complete checkpoint --compress z
  is zstd complete checkpoint --compress = z # bash takes "=" for a word
  is dates complete volume rm date
  is "" complete checkpoint --export ""
  in_fresh dpkg --purge still
}
