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

# Says what is being done, does it, says how long it took. The output goes to the log.
step() {
  local what=$1 begin=$SECONDS
  shift
  printf 'dev: %s ... ' "$what" >&2
  local failed=0
  set +e # and on again inside: a function called as a condition would run on after an error
  (set -e && "$@") >>"$log" 2>&1
  failed=$?
  set -e
  if [[ $failed -ne 0 ]]; then
    printf 'failed after %s s\n' "$((SECONDS - begin))" >&2
    tail -n 15 "$log" | sed 's/^/    /' >&2
    die "it could not be made; the whole log: $log"
  fi
  printf '%s s\n' "$((SECONDS - begin))" >&2
}

# remove_interrupted root|vm
remove_interrupted() {
  local left
  for left in "$cache/$1"-*.partial; do
    [[ -d $left ]] || continue
    step "an earlier set-up was interrupted, removing what it left" rm -rf --one-file-system "$left"
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
      step "removing $(basename "$old"), unused since yesterday" rm -rf --one-file-system "$old" "$old.lock"
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
