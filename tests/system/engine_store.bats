#!/usr/bin/env bats
# What users other than root get of the store: nothing.

load helpers

setup_file() { use_busybox; }
teardown() { finish_store; }

# A store that Still makes itself, with what others must not get: a secret in the environment, and
# programs of root that are setuid in a container's writable layer and in a volume.
setup() {
  begin_store
  rmdir "$STILL_ROOT"
  id=$(still create --name web -e SECRET=of-root -v data:/data --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
    sh -c 'for d in / /data; do cp /bin/busybox "$d" && chmod 4755 "$d/busybox"; done')
  still start -a web
  programs=("$STILL_ROOT/containers/$id/upper/busybox" "$STILL_ROOT/volumes/data/_data/busybox")
  directories=("$STILL_ROOT" "$STILL_ROOT"/{containers,layers,volumes,staging,run} "${programs[@]%/*}")
}

# setpriv itself still has root's capabilities when it starts a program; env has none.
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups env "$@"; }

is_closed() {
  local directory program
  is "$(printf '700\n600')" stat --format %a "$STILL_ROOT" "$STILL_ROOT/still.db"
  ends_with 1 as_nobody cat "$STILL_ROOT/still.db"
  for directory in "${directories[@]}"; do ends_with 2 as_nobody ls "$directory"; done
  for program in "${programs[@]}"; do ends_with 126 as_nobody "$program" true; done
}

# As earlier versions made it.
open_up() {
  chmod 711 "$STILL_ROOT" "$STILL_ROOT"/{containers,layers,volumes,run} "$STILL_ROOT/containers/$id" "$STILL_ROOT/volumes/data"
  chmod 644 "$STILL_ROOT/still.db"
}

is_open() {
  local program
  as_nobody grep -q SECRET=of-root "$STILL_ROOT/still.db"
  for program in "${programs[@]}"; do as_nobody "$program" true; done
}

@test "nobody but root enters the store" {
  is_closed
}

@test "a store that an earlier version left open is closed by the next command" {
  open_up
  is_open
  still ps
  is_closed
}

@test "of a root directory with other content only what is Still's is closed" {
  open_up
  echo "of the machine" >"$STILL_ROOT/other"
  still ps
  is "of the machine" as_nobody cat "$STILL_ROOT/other"
  ends_with 1 as_nobody cat "$STILL_ROOT/still.db"
  for program in "${programs[@]}"; do ends_with 126 as_nobody "$program" true; done
}

@test "containers of users other than root work in a closed store" {
  check() {
    is "1234" still run --rm -u 1234 --runtime "$RUNTIME" -v data:/data --rootfs "$ROOTFS" sh -c 'cat /etc/hosts /data/busybox >/dev/null && id -u'
    sleeper other --runtime "$RUNTIME" -u 1234
    is "1234" still exec other id -u
    still rm -f other
  }
  for RUNTIME in $(runtimes); do check; done
}
