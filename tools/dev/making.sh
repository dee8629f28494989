# shellcheck shell=bash disable=SC2154
# Shared by the scripts that make something in the cache, where it stays. They make it under another
# name and rename it when it is complete. Read after common.sh.

readonly log=$cache/setup.log

# Steps inherit the lock: one that outlives a killed set-up is waited for by the next.
take_lock() {
  exec {lock}>"$cache/setup.lock"
  flock --nonblock "$lock" && return
  say "another ./dev is making the environment, waiting for it"
  flock "$lock"
}

# step WHAT SECONDS COMMAND...: says what is being done and how long it will take (as the last time;
# SECONDS if that is not known), does it, says how long it took. The output goes to the log; to a
# terminal it says meanwhile where it is.
step() {
  local what=$1 begin=$SECONDS name=${1//[^a-zA-Z]/-} expected failed=0 watcher=
  expected=$(usual "$name" "$2")
  shift 2
  printf 'dev: %s (about %s s) ... ' "$what" "$expected" >&2
  if [[ -t 2 ]]; then
    watch_step &
    watcher=$!
  fi
  set +e # and on again inside: a function called as a condition would run on after an error
  (set -e && "$@") >>"$log" 2>&1
  failed=$?
  [[ -z $watcher ]] || {
    kill "$watcher"
    wait "$watcher" 2>/dev/null
    printf '\r\e[Kdev: %s ... ' "$what" >&2
  }
  set -e
  if [[ $failed -ne 0 ]]; then
    printf 'failed after %s s\n' "$((SECONDS - begin))" >&2
    tail -n 15 "$log" | sed 's/^/    /' >&2
    die "it could not be made; the whole log: $log"
  fi
  remember "$name" "$((SECONDS - begin))"
  printf '%s s\n' "$((SECONDS - begin))" >&2
}

# Each second: how long, of how long, and the last that the log says.
watch_step() {
  local now
  while sleep 1; do
    now=$(tail -n 1 "$log" | tr -dc '[:print:]')
    printf '\r\e[Kdev: %s ... %s of about %s s: %.40s' "$what" "$((SECONDS - begin))" "$expected" "$now" >&2
  done
}

# remove_interrupted root|vm
remove_interrupted() {
  local left
  for left in "$cache/$1"-*.partial; do
    [[ -d $left ]] || continue
    step "an earlier set-up was interrupted, removing what it left" 5 rm -rf --one-file-system "$left"
  done
}

# remove_unused root|vm: those of other package lists stay for a day after their last use, because
# other branches may need them.
remove_unused() {
  local old
  for old in "$cache/$1"-*; do
    [[ -d $old && $old != *.partial && -n $(find "$old/.last-use" -mmin +1440 2>/dev/null) ]] || continue
    exec {old_lock}>"$old.lock"
    flock --nonblock "$old_lock" &&
      step "removing a $1 of another package list, unused since yesterday" 5 rm -rf --one-file-system "$old" "$old.lock"
    exec {old_lock}>&-
  done
}

# Everything that mounts or may leave processes behind runs in namespaces that end with it.
isolated() { unshare --mount --propagation private --pid --fork --kill-child "$@"; }

# apt_install ROOT PACKAGE...: from Debian, into the root file system in a directory. No package
# can set this machine's sysctls, a kernel gets no initramfs.
apt_install() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  isolated bash -euo pipefail -c '
    mount -t proc proc "$1/proc"
    mount --bind "$1/proc/sys" "$1/proc/sys"
    mount -o remount,bind,ro "$1/proc/sys"
    mount --rbind /dev "$1/dev"
    mount --bind "$2" "$1/var/cache/apt/archives"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    shift 2
    exec "$@"
  ' install "$1" "$cache/debs" \
    chroot "$1" env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive INITRD=No \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    bash -euc 'apt-get update; apt-get install -y --no-install-recommends "$@"' \
    apt "${@:2}"
}
