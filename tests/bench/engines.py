"""The engines that are measured: the same container, data and questions for each."""

import json
import pathlib
import shutil

from machine import Failed, remove_cgroups, run, wait_for
from scenarios import VOLUME_BYTES, VOLUME_FILES

CONTAINER = "probe"
VOLUME = "data"


class Engine:
    """One store on one file system, with at most one container. What differs from engine to
    engine is how its command begins and what it calls the root file system."""

    name = ""
    program = []
    env = {}
    run_flags = []
    checkpoint_flags = []
    remove_flags = []

    def __init__(self, mount, rootfs):
        self.mount = mount
        self._rootfs = rootfs
        self._archive = mount.path / f"{self.name}.tar.zst"
        self._volume_filled = False

    def start(self, scenario):
        """Returns when the container has all its files and memory and they are on disk."""
        volume = self._filled_volume() if scenario.volume else []
        self._run("--detach", volume, scenario.command())
        wait_for("the probe is ready", lambda: self._said("ready") or self._must_run())
        if scenario.writer:
            wait_for("the writer is at work", lambda: len(self._said("changed_bytes=")) >= 2)
        self.mount.sync()

    def checkpoint(self):
        """Standard output of a live checkpoint to an archive."""
        return self._do("container", "checkpoint", "--leave-running", "--print-stats",
                        *self.checkpoint_flags, "--export", str(self._archive), CONTAINER)

    def pause_us(self):
        """The largest gap in the container's clock since the last call."""
        before = len(self._said("gap_us="))
        self._do("kill", "--signal", "USR1", CONTAINER)
        wait_for("the probe answers", lambda: len(self._said("gap_us=")) > before, timeout=30)
        return int(self._said("gap_us=")[-1].removeprefix("gap_us="))

    def changed_per_second(self):
        """Bytes and files, as the writer said last; zeros without one."""
        lines = self._said("changed_bytes=")
        if not lines:
            return 0, 0
        values = dict(word.split("=") for word in lines[-1].split())
        seconds = int(values["us"]) / 1e6
        return int(values["changed_bytes"]) / seconds, int(values["changed_files"]) / seconds

    def archive_bytes(self):
        return self._archive.stat().st_size

    def remove_container(self):
        """Whatever state it is in; the volume stays."""
        self._do("rm", "--force", *self.remove_flags, "--all")
        self._archive.unlink(missing_ok=True)

    def remove(self):
        """What would outlive the file system."""
        self.remove_container()

    def _do(self, *arguments):
        return run([*self.program, *arguments], env=self.env)

    def _run(self, mode, volume, command):
        self._do("run", mode, "--name", CONTAINER, "--network", "none", *self.run_flags, *volume,
                 *self._root(), *command)

    def _root(self):
        raise NotImplementedError

    def _filled_volume(self):
        """It is filled once: no scenario changes its size, and none minds what is in it."""
        flags = ["--volume", f"{VOLUME}:/data"]
        if not self._volume_filled:
            self._run("--rm", flags, ["writer", "fill", "/data", "--files", str(VOLUME_FILES),
                                      "--size", str(VOLUME_BYTES // VOLUME_FILES)])
            self._volume_filled = True
        return flags

    def _said(self, beginning):
        return [line for line in self._do("logs", CONTAINER).splitlines()
                if line.startswith(beginning)]

    def _must_run(self):
        if not self._do("ps", "--quiet").strip():
            raise Failed(f"the container ended and said: {self._do('logs', CONTAINER)}")


class Still(Engine):
    name = "still"
    program = ["still"]
    # Says why, where a checkpoint is not certified consistent: there is nothing to measure then.
    checkpoint_flags = ["--require-freeze"]

    def __init__(self, mount, rootfs):
        super().__init__(mount, rootfs)
        self.env = {"STILL_ROOT": str(mount.path / "s")}

    def _root(self):
        return ["--rootfs", str(self._rootfs)]


class StillStock(Still):
    """With the memory written by CRIU while the container stands still."""

    name = "stock"
    checkpoint_flags = [*Still.checkpoint_flags, "--memory-cut=stock"]

    def __init__(self, mount, rootfs):
        super().__init__(mount, rootfs)
        self.env = {"STILL_ROOT": str(mount.path / "stock")}


class Podman(Engine):
    """Podman as it comes, with all its files on the file system that is measured. From an image,
    because it does not export the changes of a container with --rootfs. Its checkpoint is what is
    compared, so nothing helps or hinders it: neither our preloaded library for CRIU, which matters
    to sockets only, nor a compression of ours (zstd is the default of both)."""

    name = "podman"
    run_flags = ["--pids-limit", "0"]  # crun has no such controller in the environment
    remove_flags = ["--time", "0"]
    _cgroups = pathlib.Path("/sys/fs/cgroup/libpod_parent")

    def __init__(self, mount, rootfs):
        super().__init__(mount, rootfs)
        root = mount.path / "p"
        (root / "tmp").mkdir(parents=True)
        self.env = {"TMPDIR": str(root / "tmp")}
        self.program = ["podman", "--root", str(root / "root"), "--runroot", "/run/bench-podman",
                        "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
                        "--events-backend", "file", "--runtime", "crun"]
        image = root / "tmp/image.tar"
        run(["tar", "--create", "--directory", str(rootfs), "--file", str(image), "."])
        self._do("import", "--quiet", str(image), "bench")
        image.unlink()

    @staticmethod
    def version():
        """Empty where it is not installed."""
        return run(["podman", "--version"]).strip() if shutil.which("podman") else ""

    def remove(self):
        super().remove()
        remove_cgroups(self._cgroups)

    def _root(self):
        return ["localhost/bench"]


def statistics(output):
    """Of --print-stats, whose form both engines share: CRIU's and, of ours, Still's."""
    container = json.loads(output)["container_statistics"][0]
    return container.get("criu_statistics", {}), container.get("still_statistics", {})
