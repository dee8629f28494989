# shellcheck shell=bash disable=SC2034,SC2154
# Shared by ./dev and the scripts beside this file: where things are, and how they speak. They set
# `checkout` before they read this.

readonly cache=${STILL_DEV_CACHE:-/var/cache/still-dev}
readonly suite=trixie
readonly tools=$checkout/tools/dev

say() { printf '%s\n' "dev: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# The packages of a list, one a line.
packages() { sed -e 's/#.*//' -e '/^@/d' "$tools/$1" | xargs -n1; }

# Names what is made from package lists: it changes with them and with the revisions noted there.
list_id() {
  local list
  for list in "$@"; do sed -e 's/#.*//' "$tools/$list" | xargs -n1 | sort; done | sha256sum | cut -c1-12
}

root_dir() { printf '%s\n' "$cache/root-$(list_id packages)"; }

# What ./dev vm has beside the environment: tools/dev/make-vm.
vm_dir() { printf '%s\n' "$cache/vm-$(list_id packages vm-packages)"; }

# How long something usually takes here: `remember NAME SECONDS` after it, `usual NAME DEFAULT` before
# the next time.
usual() { cat "$cache/durations/$1" 2>/dev/null || printf '%s\n' "$2"; }

remember() {
  mkdir -p "$cache/durations"
  printf '%s\n' "$2" >"$cache/durations/$1"
}

# Seconds as people say them.
duration() {
  if [[ $1 -lt 100 ]]; then printf '%s s' "$1"; else printf '%s min' "$((($1 + 30) / 60))"; fi
}

# The environment changes mounts, cgroups and namespaces: become root, and keep what steers it.
become_root() {
  [[ $EUID -ne 0 ]] || return 0
  command -v sudo >/dev/null || die "must run as root, and there is no sudo"
  local keep
  keep=$(compgen -e | grep -E "$passed_variables" | paste -sd,)
  exec sudo ${keep:+"--preserve-env=$keep"} -- "$checkout/dev" "$@"
}

# Variables of the caller that reach the environment.
readonly passed_variables='^(STILL_|CI$|TERM$|COLORTERM$|NO_COLOR$|CTEST_|GTEST_|BATS_|ASAN_OPTIONS$|UBSAN_OPTIONS$)'
