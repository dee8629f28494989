"""What the measurements say: the table, what changes cost, and the targets."""

from dataclasses import dataclass
from statistics import median

from scenarios import MIB, find

# More than the trees and the archive: inodes, directories, the database, tar headers.
DISK_SLACK_BYTES = 32 * MIB


class Medians:
    """Of the measurements that succeeded after the warm-up."""

    def __init__(self, measurements):
        self._by_cell = {}
        self._errors = {}
        for one in measurements:
            cell = (one.engine, one.key)
            if one.error:
                self._errors.setdefault(cell, one.error)
            elif one.round > 0:
                self._by_cell.setdefault(cell, []).append(one)

    def of(self, key, value, engine="still"):
        """None if there is no measurement. `value` is an attribute's name or a function."""
        if (engine, key) not in self._by_cell:
            return None
        if isinstance(value, str):
            return median(getattr(one, value) for one in self._by_cell[engine, key])
        return median(value(one) for one in self._by_cell[engine, key])

    def errors(self):
        return self._errors

    def has(self, *keys):
        return all(("still", key) in self._by_cell for key in keys)


@dataclass
class Verdict:
    target: str
    measured: str
    met: bool

    def __str__(self):
        return f"{'met   ' if self.met else 'MISSED'}  {self.target}: {self.measured}"


def ms(microseconds):
    return f"{microseconds / 1000:.1f} ms"


def mib(size_bytes):
    return f"{size_bytes / MIB:.0f} MiB"


COLUMNS = (
    ("pause inside", "still", "pause_inside_us", ms),
    ("reported", "still", "pause_reported_us", ms),
    ("CRIU frozen", "still", "criu_frozen_us", ms),
    ("pause stock", "stock", "pause_inside_us", ms),
    ("total", "still", "total_us", ms),
    ("extra disk", "still", "peak_disk_bytes", mib),
    ("archive", "still", "archive_bytes", mib),
    ("Podman total", "podman", "total_us", ms),
    ("Podman disk", "podman", "peak_disk_bytes", mib),
)


def table(medians, keys):
    yield f"{'scenario':9}" + "".join(f"{title:>14}" for title, *_ in COLUMNS)
    for key in keys:
        line = f"{key:9}"
        for _, engine, value, unit in COLUMNS:
            figure = medians.of(key, value, engine)
            failed = "failed" if (engine, key) in medians.errors() else "-"
            line += f"{failed if figure is None else unit(figure):>14}"
        yield line


def changes(medians, keys):
    """For each scenario with a writer: how much it changed, and what that cost."""
    for key in keys:
        scenario = find(key)
        idle = find(scenario.idle).on(scenario.file_system).key if scenario.idle else ""
        if not scenario.writer or not medians.has(key):
            continue
        mib_per_s = medians.of(key, "changed_bytes_per_s") / MIB
        files_per_s = medians.of(key, "changed_files_per_s")
        line = f"{key}: {mib_per_s:.1f} MiB and {files_per_s:.0f} files changed per second"
        if medians.has(idle):
            extra = medians.of(key, "pause_inside_us") - medians.of(idle, "pause_inside_us")
            rate, unit = (files_per_s, "file/s") if files_per_s else (mib_per_s, "MiB/s")
            line += f"; {ms(extra)} more pause than {idle}, {ms(extra / rate)} for each {unit}"
        yield line


def verdicts(medians, keys):
    """On every target whose scenarios were measured."""
    for key in keys:
        if not medians.has(key):
            continue
        yield from _memory_target(medians, key, find(key))
        yield from _pause_target(medians, key, find(key))
        yield from _disk_target(medians, key, find(key))
    yield from _podman_targets(medians)
    yield from _report_target(medians, keys)


def _memory_target(medians, key, scenario):
    """What the pause may be, on ext4: for itself, or more than A's by the GiB."""
    if scenario.file_system != "ext4":
        return
    pause = medians.of(key, "pause_inside_us")
    limit_ms = {"A": 60, "F": 120}.get(scenario.name)
    if limit_ms:
        yield Verdict(f"{key}: pause at most {limit_ms} ms", ms(pause), pause <= limit_ms * 1000)
    more_ms = {"C": 120, "CH": 30, "C8": 480, "P": 150}.get(scenario.name)
    if more_ms and medians.has("A"):
        base_pause = medians.of("A", "pause_inside_us")
        yield Verdict(f"{key}: pause at most that of A plus {more_ms} ms",
                      f"{ms(pause)}, A {ms(base_pause)}", pause <= base_pause + more_ms * 1000)


def _pause_target(medians, key, scenario):
    allowed_us = {"D": 25_000, "E": 25_000, "F": 25_000, "E5": 60_000}.get(scenario.name)
    if allowed_us is None:
        return
    base = find(scenario.idle).on(scenario.file_system).key
    if not medians.has(base):
        return
    pause, base_pause = (medians.of(each, "pause_inside_us") for each in (key, base))
    yield Verdict(f"{key}: pause at most that of {base} plus {allowed_us // 1000} ms",
                  f"{ms(pause)}, {base} {ms(base_pause)}", pause <= base_pause + allowed_us)


def _report_target(medians, keys):
    difference = {key: medians.of(key, lambda one: abs(one.pause_inside_us - one.pause_reported_us))
                  for key in keys if medians.has(key)}
    if difference:
        worst = max(difference, key=difference.get)
        yield Verdict("all: the pauses seen and reported differ by less than 10 ms",
                      f"at most {ms(difference[worst])}, {worst}", difference[worst] < 10_000)


def _disk_target(medians, key, scenario):
    if not scenario.tree_bytes:
        return
    archive = medians.of(key, "archive_bytes")
    trees = scenario.tree_bytes if scenario.file_system == "ext4" else 0
    limit = trees + archive + DISK_SLACK_BYTES
    peak = medians.of(key, "peak_disk_bytes")
    what = "trees and archive" if trees else "the archive"
    yield Verdict(f"{key}: extra disk at most {what}, {mib(limit)}", mib(peak), peak <= limit)


def _podman_targets(medians):
    podman = medians.of("F", "total_us", "podman")
    if podman is None or not medians.has("F"):
        if ("podman", "F") in medians.errors():
            yield Verdict("F: compared with Podman's checkpoint", "Podman failed", False)
        return
    pause, total = medians.of("F", "pause_inside_us"), medians.of("F", "total_us")
    yield Verdict("F: pause at least 60 times shorter than Podman's checkpoint",
                  f"{ms(pause)}, Podman {ms(podman)}, {podman / pause:.1f} times",
                  pause * 60 <= podman)
    yield Verdict("F: total time not longer than Podman's",
                  f"{ms(total)}, Podman {ms(podman)}", total <= podman)
