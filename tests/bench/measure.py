"""One measurement: a container is made, checkpointed once and removed."""

import json
import time
from dataclasses import asdict, dataclass, field

from engines import statistics
from machine import Failed, PeakDiskUse, load
from scenarios import find


@dataclass
class Measurement:
    engine: str
    scenario: str
    file_system: str
    round: int  # 0 is the warm-up
    load: float = 0
    error: str = ""
    pause_inside_us: int = 0
    pause_reported_us: int = 0  # Podman reports none
    criu_frozen_us: int = 0
    total_us: int = 0  # of the whole command, seen from outside
    peak_disk_bytes: int = 0
    archive_bytes: int = 0
    changed_bytes_per_s: float = 0
    changed_files_per_s: float = 0
    statistics: dict = field(default_factory=dict)  # all that the engine said

    @property
    def key(self):
        return find(f"{self.scenario}.{self.file_system}").key

    def json_line(self):
        return json.dumps(asdict(self)) + "\n"


def measure(engine, scenario, number):
    """Never raises Failed: what went wrong is in the measurement."""
    result = Measurement(engine.name, scenario.name, scenario.file_system, number,
                         load=load())
    try:
        engine.start(scenario)
        _checkpoint(engine, result)
    except Failed as error:
        result.error = str(error)
    finally:
        engine.remove_container()
        engine.mount.trim()
    return result


def _checkpoint(engine, result):
    result.changed_bytes_per_s, result.changed_files_per_s = engine.changed_per_second()
    disk = PeakDiskUse(engine.mount)
    with disk:
        engine.pause_us()  # forgets what was before
        begin = time.monotonic()
        output = engine.checkpoint()
        result.total_us = int((time.monotonic() - begin) * 1e6)
        result.pause_inside_us = engine.pause_us()
    criu, still = statistics(output)
    result.statistics = {"criu": criu, "still": still}
    result.criu_frozen_us = criu.get("frozen_time", 0)
    result.pause_reported_us = still.get("pause", 0)
    result.peak_disk_bytes = disk.bytes
    result.archive_bytes = engine.archive_bytes()
