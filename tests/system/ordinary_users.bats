#!/usr/bin/env bats
# Containers whose processes are not root's. For them the kernel asks whoever looks into a process, changes its limits
# or makes it anew for capabilities that nobody needs for root's own.
# cgroups: v2

bats_require_minimum_version 1.5.0

load helpers
load workload
load checkpoint_support
load postgres

setup_file() {
  export ROOTFS=$BATS_FILE_TMPDIR
  make_rootfs busybox "$ROOTFS/busybox"
  chmod 1777 "$ROOTFS/busybox" # where the programs make their files
}

# CRIU reads the resource limits of what it dumps. Of another user's processes that takes a capability which
# even root lacks in some sandboxes; the virtual machine of ./dev vm has it.
setup() {
  begin_store
  ! capsh --has-p=cap_sys_resource 2>/dev/null || return 0
  [[ -z ${STILL_TESTS_IN_VM:-} ]] || { echo "root of the virtual machine has no CAP_SYS_RESOURCE"; return 1; }
  skip "root has no CAP_SYS_RESOURCE here: see ./dev vm"
}

teardown() { finish_store; }

# volume_of USER: the volume data, which that user may write to.
volume_of() { still run --rm -v data:/data --rootfs "$ROOTFS/busybox" chown "$1" /data; }

# start NAME RUNTIME COMMAND [FLAG...]: as user 1000, or as the flags say. It has the volume data, and has reported.
start() {
  local name=$1 runtime=$2 command=$3
  still volume exists data || volume_of 1000
  still run -d --name "$name" --runtime "$runtime" --network none -v data:/data --user 1000 "${@:4}" \
    --rootfs "$ROOTFS/busybox" sh -c "$command" >/dev/null
  eventually sh -c "still logs '$name' | grep -q '='"
}

# ends_well NAME VOLUME: it has nothing to complain of; both are gone then.
ends_well() {
  still stop --time 60 "$1" >/dev/null
  container_ends_with 0 "$1"
  still rm "$1" >/dev/null
  still volume rm "$2" >/dev/null
}

# copies NAME WAY: a live checkpoint, and a copy that has nothing to complain of and is still the same user.
copies() {
  live_checkpoint "$1" "$WORK/archive" --memory-cut="$2" --compress none
  [[ $(manifest "$WORK/archive" .memory_cut) == "$2" ]]
  restore_copy "$WORK/archive" copy data >/dev/null
  is "$(users_of "$1")" users_of copy
  sleep 0.5
  ends_well copy copy
  rm "$WORK/archive"
}

# Users, groups and capabilities of the processes that live: who is a zombie is nobody any more for CRIU.
users_of() {
  still exec --user 0 "$1" sh -c '
    for process in /proc/[0-9]*/status; do
      ! grep -q "^State:.Z" "$process" || continue
      grep -E "^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):" "$process" | tr "\n" " "
      echo
    done | sort | uniq'
}

is_consistent() {
  local runtime=$1 program=$2 way
  start busy "$runtime" "$program"
  for way in stock fork; do copies busy "$way"; done
  ends_well busy data
}

# Of root's container some processes have become somebody else's: the kernel hides them from others then (proc(5),
# PR_SET_DUMPABLE).
has_changed_user() {
  local runtime=$1 way
  volume_of nobody
  start busy "$runtime" 'trap "kill \$counter" TERM
    start-stop-daemon --start --chuid nobody --exec /bin/counter -- --report 50 & counter=$!
    wait; wait $counter' --user 0
  for way in stock fork; do copies busy "$way"; done
  ends_well busy data
}

# Its checkpoint in the store, by which it ends, brings it back in place.
comes_back() {
  start busy "$1" "exec /bin/counter --report 50"
  still checkpoint busy >/dev/null
  [[ $(state busy Status) == exited ]]
  still restore busy >/dev/null
  sleep 0.5
  ends_well busy data
}

# Processes are counted for each user of the machine, and for ordinary ones there is a limit, which leaves no room for
# copies. CRIU needs none.
has_as_many_processes_as_allowed() {
  local runtime=$1 tasks
  start busy "$runtime" "exec /bin/counter --report 50"
  tasks=$(still exec --user 0 busy sh -c 'grep -l "^Uid:.1000" /proc/[0-9]*/task/[0-9]*/status | wc -l')
  still rm --force busy >/dev/null
  start busy "$runtime" "exec /bin/counter --report 50" --ulimit "nproc=$tasks:$tasks"
  fails_with "" still checkpoint -R -e "$WORK/archive" --memory-cut=fork busy
  [[ ! -e $WORK/archive ]]
  live_checkpoint busy "$WORK/archive" --memory-cut=auto
  restore_copy "$WORK/archive" copy data >/dev/null
  ends_well copy copy
  ends_well busy data
}

for runtime in crun runc; do
  bats_test_function --description "user 1000, $runtime: the counter" -- is_consistent "$runtime" "exec /bin/counter --report 50"
  bats_test_function --description "user 1000, $runtime: memory of every kind" -- is_consistent "$runtime" "exec /bin/mappings"
  bats_test_function --description "user 1000, $runtime: objects of every kind" -- is_consistent "$runtime" "exec /bin/objects"
  bats_test_function --description "user 1000, $runtime: back in place" -- comes_back "$runtime"
  bats_test_function --description "user 1000, $runtime: no process more is allowed" -- has_as_many_processes_as_allowed "$runtime"
  bats_test_function --description "somebody else since its start, $runtime: the counter" -- has_changed_user "$runtime"
done

postgres_as_itself() {
  [[ -e $ROOTFS/postgres ]] || make_rootfs postgres "$ROOTFS/postgres"
  still run --rm --runtime "$1" --network none -v data:/data --rootfs "$ROOTFS/postgres" chown postgres:postgres /data
  postgres_survives "$1" --user postgres
}
for runtime in crun runc; do
  bats_test_function --description "PostgreSQL under load as its own user, $runtime" -- postgres_as_itself "$runtime"
done
