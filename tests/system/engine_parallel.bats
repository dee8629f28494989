#!/usr/bin/env bats
# Several still processes at once on one store, and processes that are killed half-way.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

@test "many at once: run, exec, rm" {
  pids=()
  for i in {1..12}; do
    still run --rm --name "c$i" -v shared:/data --runtime "$(any_runtime)" --rootfs "$ROOTFS" \
      sh -c "touch /data/$i; exit $i" &
    pids+=($!)
  done
  for i in {1..12}; do ends_with "$i" wait "${pids[i - 1]}"; done
  is 12 sh -c "still run --rm -v shared:/data --runtime $(any_runtime) --rootfs $ROOTFS ls /data | wc -l"
  is "" still ps -aq
}

@test "one of several that want the same name gets it" {
  pids=()
  for i in {1..6}; do
    still create --name same --runtime "$(any_runtime)" --rootfs "$ROOTFS" true >"$WORK/$i" 2>/dev/null &
    pids+=($!)
  done
  good=0
  for pid in "${pids[@]}"; do ! wait "$pid" || good=$((good + 1)); done
  is 1 echo "$good"
  is 1 sh -c 'still ps -aq | wc -l'
  is 1 sh -c "ls $STILL_ROOT/containers | wc -l"
}

@test "stop, kill and rm of the same container from several sides" {
  for _ in {1..3}; do
    sleeper web --runtime "$(any_runtime)"
    still stop web & still kill web & still rm -f web & still rm -f web &
    wait
    ends_with 1 still container exists web
  done
}

@test "still run that is killed leaves a container that can be used" {
  still run --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" sh -c 'echo ready; while :; do sleep 0.05; done' >"$WORK/out" &
  client=$!
  eventually grep -q ready "$WORK/out"
  kill -KILL "$client"
  wait "$client" || true
  is "running" state web Status
  is "in" still exec web echo in
  still stop -t 0 web
  is 137 still wait web
}

@test "still start that is killed at any moment: the container can be started or removed afterwards" {
  still create --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" sleep 1000
  for delay in 0.002 0.01 0.03 0.05 0.08 0.12; do
    timeout --signal=KILL "$delay" still start web || true
    still ps -a >/dev/null
    still rm -f web
    ends_with 1 still container exists web
    still create --name web --runtime "$(any_runtime)" --rootfs "$ROOTFS" sleep 1000
  done
  still start web
  is "running" state web Status
}

@test "conmon that is killed: the container's end is seen all the same" {
  sleeper web --runtime "$(any_runtime)"
  id=$(still inspect --format '{{.Id}}' web)
  pkill -KILL -f "conmon.*$id"
  still kill web
  eventually has_state web exited
  still rm web
}
