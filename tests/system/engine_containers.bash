# shellcheck shell=bash
# Containers of other engines: the busy counter, and what holds for every engine's. Loaded after helpers and workload, by a
# file that says `start NAME [FLAG...] -- COMMAND...`, `written NAME` (all that it has written), and in $CLIENT the program
# of an engine that has Docker's words.

checkpoint() { still checkpoint --leave-running --export "$WORK/archive" "$@"; }

start_counter() {
  start "$@" -v data:/data -- /bin/counter --report 50
  eventually counts_beyond "$1" 0
}
counted() { written "$1" | sed -n 's/.* steps=\([0-9]*\).*/\1/p' | tail -n 1; }
counts_beyond() { [[ $(counted "$1") -gt $2 ]]; }
goes_on() { eventually counts_beyond "$1" "$(counted "$1")"; }

# The counter's own verdict.
verdict() {
  "$CLIENT" stop --time 60 "$1"
  [[ $("$CLIENT" inspect --format '{{.State.ExitCode}}' "$1") == 0 ]] || { written "$1" | tail; return 1; }
}

is_consistent() { [[ $(manifest "$WORK/archive" .consistent) == true ]]; }
made_by() { [[ $(manifest "$WORK/archive" .engine) == "$1" ]]; }

# --- tests ------------------------------------------------------------------------------------------

# nothing_is_written STATE...: what the command STATE prints of the engine is the same afterwards.
nothing_is_written() {
  local before
  start_counter web
  before=$("$@")
  for way in $(memory_ways); do
    checkpoint web --memory-cut="$way"
    is_consistent
    made_by "$CLIENT"
    still archive verify "$WORK/archive"
  done
  diff <(echo "$before") <("$@")
  goes_on web
  "$CLIENT" exec web true
  verdict web
}

sharers_stand_still() {
  start_counter web
  start other -v data:/shared -- sh -c 'while :; do date >/shared/now; done'
  start reader -v data:/shared:ro -- sleep 1000
  checkpoint --dry-run web | tee "$WORK/plan"
  grep "other writes to the same volume and is frozen too" "$WORK/plan"
  run ! grep reader "$WORK/plan"
  checkpoint web
  is_consistent
  checkpoint --no-freeze-sharers web
  [[ $(manifest "$WORK/archive" .inconsistent_because) == *"volume:data: now"* ]]
}

# Whose image Podman has, too. Each copy counts on and sees that memory and files go together.
restored_by_still_and_podman() {
  start_counter web
  checkpoint web
  is_consistent
  still archive verify "$WORK/archive"
  copied_by_still --rename-volume data=data2
  copied_by_podman
  goes_on web
  verdict web
}

# copied_by_still [FLAG...]: what containers of other engines have by default is more than what Still gives them.
copied_by_still() {
  fails_with "the archive asks for more" still restore --import "$WORK/archive" --name copy "$@"
  still restore --import "$WORK/archive" --name copy --cap-add MKNOD --cap-add NET_RAW --cap-add AUDIT_WRITE \
    ${UNCONFINED:+--security-opt seccomp=unconfined} --require-certificate "$@"
  eventually says copy steps=
  # And from there by Still's own archives.
  still checkpoint --leave-running --export "$WORK/second" copy
  is_consistent
  still stop --time 60 copy
  container_ends_with 0 copy
  still rm copy
}

# Of a file that loads podman, too.
copied_by_podman() {
  pm --runtime runc container restore --import "$WORK/archive" --name copy 3>&-
  eventually podman_copy_counts
  pm stop --time 60 copy
  [[ $(pm inspect --format '{{.State.ExitCode}}' copy) == 0 ]] || { pm logs copy; return 1; }
  forget_podman
  remove_podman_cgroups
}
podman_copy_counts() { pm logs copy 2>/dev/null | grep -q steps=; }

stays_paused() {
  start_counter web
  "$CLIENT" pause web
  checkpoint web
  [[ $("$CLIENT" inspect --format '{{.State.Status}}' web) == paused ]]
  is_consistent
  "$CLIENT" unpause web
  goes_on web
  verdict web
}

# paused_meanwhile STEP: at that step the engine pauses the container, which is then paused as the engine believes.
paused_meanwhile() {
  start_counter web
  fails_with "$CLIENT has paused container web during its checkpoint" \
    at "$1" "$CLIENT pause web >/dev/null" "$STILL_TEST_PROGRAM" checkpoint -R -e "$WORK/archive" web
  [[ ! -e $WORK/archive ]]
  grep "frozen 1" "/sys/fs/cgroup$(cgroup_of web)/cgroup.events"
  "$CLIENT" unpause web
  goes_on web
  verdict web
}
