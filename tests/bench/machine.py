"""Commands, loop mounts and disk use: the bench's hands on the machine."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

GIB = 1 << 30


class Failed(Exception):
    """A command that failed, with what it said."""


def run(arguments, *, env=None, timeout=300, stdin=None):
    """The command's standard output. Raises Failed, also when it takes longer than `timeout` s."""
    with subprocess.Popen(arguments, env={**os.environ, **(env or {})}, text=True,
                          stdin=stdin or subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException as error:
            end(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise Failed(f"still running after {timeout} s: {' '.join(arguments)}") from None
    if process.returncode != 0:
        raise Failed(f"exit code {process.returncode}: {' '.join(arguments)}\n{err.strip()}")
    return out


def end(process):
    """Asks first, and long enough: CRIU must not be killed while it holds processes."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()


def wait_for(what, condition, timeout=300):
    """The first result of `condition` that is true; raises Failed after `timeout` s."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.1)
    raise Failed(f"not so after {timeout} s: {what}")


def signals_raise():
    """Whatever ends the bench runs its cleanup; that is not interrupted again."""

    def stop(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, stop)


class LoopMount:
    """A fresh file system on a sparse file, for this bench alone: what its used space gains, the
    bench has written. The device goes with the last mount, also if the bench is killed."""

    SIZE_BYTES = 24 * GIB
    MAKE = {
        "ext4": ["mkfs.ext4", "-q"],
        "btrfs": ["mkfs.btrfs", "--quiet"],
        "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    }
    # XFS sets up to as much again aside for a file that grows, and takes it back when space gets
    # short. With a fixed size, used space is what is used.
    OPTIONS = {"xfs": ",allocsize=1m"}

    def __init__(self, file_system, work):
        self.path = work / file_system
        self._image = work / f"{file_system}.img"
        with open(self._image, "wb") as image:
            image.truncate(self.SIZE_BYTES)
        run([*self.MAKE[file_system], str(self._image)])
        self.path.mkdir()
        run(["mount", "-t", file_system, "-o", "loop" + self.OPTIONS.get(file_system, ""),
             str(self._image), str(self.path)])
        device = run(["findmnt", "--noheadings", "--output", "SOURCE", str(self.path)]).strip()
        # The page cache holds everything once, as with a disk.
        run(["losetup", "--direct-io=on", device])

    def used_bytes(self):
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def sync(self):
        run(["sync", "--file-system", str(self.path)])

    def trim(self):
        """Gives freed space back to the file system below."""
        run(["fstrim", str(self.path)])

    def remove(self):
        try:
            run(["umount", "--recursive", str(self.path)])
        except Failed:
            run(["umount", "--recursive", "--lazy", str(self.path)])
        self._image.unlink()


class PeakDiskUse:
    """How much more a file system holds, at most, while the block runs. Looks every 10 ms. btrfs
    counts data when it is written back, the others as soon as it is in the page cache."""

    def __init__(self, mount):
        self._mount = mount
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.bytes = 0

    def __enter__(self):
        self._mount.sync()
        self._before = self._mount.used_bytes()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._mount.sync()
        self._look()

    def _sample(self):
        while not self._ended.wait(0.01):
            self._look()

    def _look(self):
        self.bytes = max(self.bytes, self._mount.used_bytes() - self._before)


def remove_cgroups(top):
    """Podman leaves its parent cgroup there."""
    if not top.is_dir():
        return
    for directory, _, _ in os.walk(top, topdown=False):
        os.rmdir(directory)


def host_line():
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) >> 10
    return (f"Linux {os.uname().release}, {len(os.sched_getaffinity(0))} CPUs, {memory} MiB, "
            f"load {load():.1f}")


def load():
    """Of the last minute. What others do on the machine is in every figure."""
    return os.getloadavg()[0]
