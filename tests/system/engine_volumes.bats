#!/usr/bin/env bats
# cgroups: v2
# still volume create, ls, inspect, rm, prune, exists.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

use_volume() { still create --name "$1" -v "$2:/data" --runtime "$(any_runtime)" --rootfs "$ROOTFS" true; }

@test "create: with a name, without one, with labels, twice" {
  is "data" still volume create data
  name=$(still volume create)
  [[ ${#name} -ge 12 ]]
  still volume create --label team=db --label tier labelled
  is '{"team":"db","tier":""}' still volume inspect --format '{{json .Labels}}' labelled
  fails_with "data" still volume create data
  is "data" still volume create --ignore data
}

@test "create refuses what is no name" {
  for name in a/b .hidden '' 'a b' ../up; do
    [[ -n $name ]] || continue
    fails_with "name" still volume create "$name"
  done
  fails_with "not supported" still volume create --driver nfs data
  is "" still volume ls -q
}

@test "ls: table, names, JSON, filters" {
  still volume create a
  still volume create --label team=db b
  is "$(printf 'DRIVER      VOLUME NAME\nlocal       a\nlocal       b')" still volume ls
  is "$(printf 'a\nb')" still volume ls --quiet
  still volume ls --format json | jq -e 'map(.Name) == ["a", "b"] and .[0].Driver == "local"'
  is "b" still volume ls -q --filter label=team=db
  is "a" still volume ls -q --filter name=a
  use_volume user a
  is "b" still volume ls -q --filter dangling=true
  is "a" still volume ls -q --filter dangling=false
  fails_with "invalid filter" still volume ls --filter foo=bar
}

@test "inspect: where the data is" {
  still run --rm -v data:/data --runtime "$(any_runtime)" --rootfs "$ROOTFS" sh -c 'echo content >/data/file'
  is "content" cat "$(still volume inspect --format '{{.Mountpoint}}' data)/file"
  still volume inspect data | jq -e '.[0] | .Name == "data" and .Driver == "local" and .Scope == "local" and (.CreatedAt | test("^2"))'
  is 1 sh -c 'still volume inspect --all | jq length'
  run --separate-stderr still volume inspect nope
  [[ $status -eq 125 && $stderr == *nope* ]]
}

@test "rm: not what a container uses, unless forced" {
  use_volume user data
  fails_with "user" still volume rm data
  still rm user
  is "data" still volume rm data
  ends_with 1 still volume exists data
  fails_with "data" still volume rm data
  ends_with 0 still volume rm --force data
  fails_with "" still volume rm
}

@test "rm: several, --all" {
  for name in a b c; do still volume create "$name"; done
  run still volume rm a nope b
  [[ $status -eq 125 ]]
  is "c" still volume ls -q
  still volume create d
  is "$(printf 'c\nd')" still volume rm --all
}

@test "prune removes what no container uses, after asking" {
  use_volume user used
  still volume create unused
  echo n | still volume prune
  still volume exists unused
  echo y | still volume prune
  ends_with 1 still volume exists unused
  still volume create unused
  is "unused" still volume prune --force
  is "used" still volume ls -q
}

@test "data outlives containers and belongs to whoever mounts it" {
  check() {
    still run --rm -v data:/data --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'echo 1 >>/data/count'
    still run --rm -v data:/data --runtime "$RUNTIME" --rootfs "$ROOTFS" sh -c 'echo 1 >>/data/count'
    is "2" still run --rm -v data:/data --runtime "$RUNTIME" --rootfs "$ROOTFS" grep -c 1 /data/count
  }
  for_each_runtime check
}
