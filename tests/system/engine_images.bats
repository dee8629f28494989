#!/usr/bin/env bats
# cgroups: v2
# still import, load, images, rmi: root file systems and what images say about running them.

load helpers

setup_file() { use_busybox; }
setup() { begin_store; }
teardown() { finish_store; }

run_image() { still run --rm --runtime "$(any_runtime)" "$@"; }

@test "import: a directory, a tar file of any compression, standard input" {
  tar -C "$ROOTFS" -cf "$WORK/rootfs.tar" .
  gzip -k "$WORK/rootfs.tar"
  xz -k -0 "$WORK/rootfs.tar"
  zstd -q "$WORK/rootfs.tar"
  for source in "$ROOTFS" "$WORK/rootfs.tar" "$WORK/rootfs.tar.gz" "$WORK/rootfs.tar.xz" "$WORK/rootfs.tar.zst"; do
    id=$(still import "$source" busybox)
    [[ $id =~ ^sha256:[0-9a-f]{64}$ ]]
    is "hello" run_image busybox echo hello
    is "${id#sha256:}" still image inspect --format '{{.Id}}' busybox
    still rmi busybox
  done
  still import - busybox <"$WORK/rootfs.tar"
  is "hello" run_image busybox echo hello
}

@test "import: equal content is the same image, under both names" {
  local first
  tar -cf "$WORK/rootfs.tar" -C "$ROOTFS" .
  first=$(still import "$WORK/rootfs.tar" first)
  sleep 1.1
  is "$first" still import "$WORK/rootfs.tar" second
  [[ $(still image inspect --format '{{.Id}}' first) == "$(still image inspect --format '{{.Id}}' second)" ]]
  [[ $(still import --change 'CMD ["x"]' "$WORK/rootfs.tar" third) != "$first" ]]
}

@test "import --change: what the image says about running it" {
  import_busybox --change 'CMD ["echo", "from image"]' --change 'ENV A=1' --change 'WORKDIR /tmp' --change 'USER 12:34' --change 'LABEL kind=test' \
    --change 'STOPSIGNAL SIGINT' --change 'VOLUME /cache'
  is "from image" run_image busybox
  is "other" run_image busybox echo other
  # shellcheck disable=SC2016
  is "1 /tmp 12" run_image busybox sh -c 'echo $A $(pwd) $(id -u)'
  # shellcheck disable=SC2016
  is "2 / 0" run_image -e A=2 -w / -u 0 busybox sh -c 'echo $A $(pwd) $(id -u)'
  still image inspect busybox | jq -e '.[0] | .Config.Labels == {"kind": "test"} and .Config.WorkingDir == "/tmp" and .Config.User == "12:34"'
  still create --name c busybox
  is "/cache" still inspect --format '{{range .Mounts}}{{.Destination}}{{end}}' c
  is "SIGINT" still inspect --format '{{.Config.StopSignal}}' c
  fails_with "FOO" still import --change 'FOO bar' "$ROOTFS" other
}

@test "entry point and command" {
  import_busybox --change 'ENTRYPOINT ["echo", "entry"]' --change 'CMD ["default"]'
  is "entry default" run_image busybox
  is "entry given" run_image busybox given
  is "x" run_image --entrypoint echo busybox x
  is "plain" run_image --entrypoint '' busybox echo plain
}

@test "load: docker-archive and OCI layout, several layers, deletions between them" {
  make_oci_layout
  is "Loaded image: localhost/layered:latest" still load --input "$WORK/layout"
  is "changed" run_image layered cat /etc/changed
  ends_with 1 run_image layered test -e /etc/removed
  is "second" run_image layered ls /opaque
  still rmi layered

  skopeo copy --quiet "oci:$WORK/layout:layered" "docker-archive:$WORK/docker.tar:layered:7"
  is "Loaded image: localhost/layered:7" sh -c "still load -i '$WORK/docker.tar' | sed 's,docker.io/library/,localhost/,'"
  still load <"$WORK/docker.tar"
  [[ $(still images -q | wc -l) -eq 1 ]]
}

# Three layers by umoci: the root file system; files to change and remove; the changes.
make_oci_layout() {
  umoci init --layout "$WORK/layout"
  umoci new --image "$WORK/layout:layered"
  umoci unpack --image "$WORK/layout:layered" "$WORK/bundle" >/dev/null
  cp -a "$ROOTFS/." "$WORK/bundle/rootfs/"
  umoci repack --refresh-bundle --image "$WORK/layout:layered" "$WORK/bundle" >/dev/null
  mkdir "$WORK/bundle/rootfs/opaque"
  echo first >"$WORK/bundle/rootfs/etc/changed"
  touch "$WORK/bundle/rootfs/etc/removed" "$WORK/bundle/rootfs/opaque/first"
  umoci repack --refresh-bundle --image "$WORK/layout:layered" "$WORK/bundle" >/dev/null
  echo changed >"$WORK/bundle/rootfs/etc/changed"
  rm "$WORK/bundle/rootfs/etc/removed" "$WORK/bundle/rootfs/opaque/first"
  touch "$WORK/bundle/rootfs/opaque/second"
  umoci repack --image "$WORK/layout:layered" "$WORK/bundle" >/dev/null
}

@test "images: table, ids, JSON" {
  import_busybox
  still import --change 'LABEL kind=app' "$ROOTFS" example.org:5000/app:7
  is "REPOSITORY" sh -c "still images | head -n 1 | cut -d' ' -f1"
  still images | grep -E '^localhost/busybox +latest +[0-9a-f]{12} +.* ago +[0-9.]+ MB$'
  still images | grep -E '^example.org:5000/app +7 '
  still images --format json | jq -e 'map(.Names[]) | sort == ["example.org:5000/app:7", "localhost/busybox:latest"]'
  is "localhost/busybox latest" still images --format '{{.Repository}} {{.Tag}}' busybox
  still image exists busybox
  ends_with 1 still image exists nope
}

@test "rmi: not what a container is made of; layers go with the last image" {
  import_busybox
  still create --name c --runtime "$(any_runtime)" busybox true
  fails_with "c" still rmi busybox
  still rm c
  is "busybox" still rmi busybox
  is "" ls "$STILL_ROOT/layers"
  fails_with "nope" still rmi nope
  ends_with 0 still rmi --ignore nope
  fails_with "name" still rmi
}

@test "an image is not changed by its containers" {
  import_busybox
  run_image busybox sh -c 'echo mine >/file; rm /bin/vi'
  ends_with 1 run_image busybox test -e /file
  run_image busybox test -e /bin/vi
}

@test "what cannot be imported leaves nothing" {
  echo "no tar" >"$WORK/file"
  fails_with "file" still import "$WORK/file" broken
  fails_with "/no/such" still import /no/such broken
  fails_with "archive" still load -i "$WORK/file"
  fails_with "" still load -i /no/such
  tar -C "$ROOTFS" -cf "$WORK/rootfs.tar" .
  gzip "$WORK/rootfs.tar"
  head -c 200000 "$WORK/rootfs.tar.gz" >"$WORK/truncated.tar.gz"
  fails_with "truncated" still import "$WORK/truncated.tar.gz" broken
  is "" still images -q
  is "" ls "$STILL_ROOT/layers"
}

@test "names inside an archive cannot leave the layer" {
  mkdir "$WORK/outside"
  python3 - "$WORK" <<'PYTHON'
import io, sys, tarfile
work = sys.argv[1]
def archive(name, members):
    with tarfile.open(f"{work}/{name}.tar", "w") as tar:
        for path, kind, link in members:
            entry = tarfile.TarInfo(path)
            entry.type = kind
            entry.linkname = link
            data = b"x" if kind == tarfile.REGTYPE else b""
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
archive("dotdot", [("../outside/file", tarfile.REGTYPE, "")])
archive("absolute", [(f"{work}/outside/file", tarfile.REGTYPE, "")])
archive("link", [("door", tarfile.SYMTYPE, f"{work}/outside"), ("door/file", tarfile.REGTYPE, "")])
archive("hard", [("copy", tarfile.LNKTYPE, "../../../../etc/passwd")])
PYTHON
  for name in dotdot absolute link hard; do
    still import "$WORK/$name.tar" "$name" || true
    is "" ls "$WORK/outside"
  done
}
