"""What is checkpointed in each scenario."""

from dataclasses import dataclass, replace

MIB = 1 << 20

VOLUME_FILES = 8
VOLUME_BYTES = 1024 * MIB
FILE_BYTES = 4096


@dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    memory_mib: int = 16
    probe: str = ""  # more flags of the probe
    stock: bool = False  # measured with CRIU writing the memory, too
    volume: bool = False  # VOLUME_BYTES in VOLUME_FILES files
    files: int = 0  # of FILE_BYTES, in the writable layer of the root file system
    writer: str = ""  # what changes them
    idle: str = ""  # the scenario without the writer, or without the files: to compare with
    file_system: str = "ext4"

    @property
    def key(self):
        return self.name if self.file_system == "ext4" else f"{self.name}.{self.file_system}"

    @property
    def tree_bytes(self):
        return self.volume * VOLUME_BYTES + self.files * FILE_BYTES

    def on(self, file_system):
        return replace(self, file_system=file_system)

    def command(self):
        """Of the container. The probe takes the shell's place; it is ready when all the rest is."""
        steps = []
        if self.files:
            steps.append(f"writer fill /files --files {self.files} --size {FILE_BYTES} || exit 1")
        if self.writer:
            steps.append(f"writer {self.writer} & true")
        steps.append(f"exec pause_probe --memory {self.memory_mib} {self.probe}")
        return ["sh", "-c", "; ".join(steps)]


_REWRITE = "rewrite /data --rate"
_CHURN = "churn /files --rate"

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("A", "16 MiB of memory, nothing else", stock=True),
        Scenario("B", "512 MiB of memory", memory_mib=512, stock=True),
        Scenario("C", "2 GiB of memory, in pages of 4 KiB", memory_mib=2048, stock=True),
        Scenario("CH", "2 GiB of memory, in huge pages", memory_mib=2048, probe="--huge-pages",
                 stock=True),
        Scenario("C8", "8 GiB of memory, in pages of 4 KiB", memory_mib=8192, stock=True),
        Scenario("S", "1 GiB of shared memory, touched by 8 processes", memory_mib=1024,
                 probe="--shared --processes 8", stock=True),
        Scenario("P", "A in one of 300 processes with 4 threads each",
                 probe="--processes 300 --threads 4", stock=True),
        Scenario("D", "A and an idle volume of 1 GiB in 8 files", volume=True, idle="A"),
        Scenario("E", "A and 20,000 idle files of 4 KiB", files=20_000, idle="A"),
        Scenario("E5", "A and 100,000 idle files of 4 KiB", files=100_000, idle="A"),
        Scenario("F", "B, D and E together", memory_mib=512, volume=True, files=20_000, idle="B"),
        Scenario("G", "D, 8 MiB/s rewritten in place, anywhere in the volume", volume=True,
                 writer=f"{_REWRITE} 8", idle="D"),
        Scenario("G4", "G with 32 MiB/s", volume=True, writer=f"{_REWRITE} 32", idle="D"),
        Scenario("GS", "G, but one file after another", volume=True,
                 writer=f"{_REWRITE} 8 --in-sequence", idle="D"),
        Scenario("H", "E, 200 files/s created, changed or removed", files=20_000,
                 writer=f"{_CHURN} 200", idle="E"),
        Scenario("H4", "H with 800 files/s", files=20_000, writer=f"{_CHURN} 800", idle="E"),
    )
}

FILE_SYSTEMS = ("ext4", "btrfs", "xfs")
# A and B are there on each, because what D, E and F may add is added to them.
DEFAULT = ("A B C CH P D E E5 F G GS H "
           "A.btrfs B.btrfs D.btrfs E.btrfs F.btrfs A.xfs B.xfs D.xfs E.xfs F.xfs").split()


def find(key):
    """The scenario of a name like D or D.btrfs; ValueError if there is none."""
    name, _, file_system = key.partition(".")
    file_system = file_system or "ext4"
    if name not in SCENARIOS or file_system not in FILE_SYSTEMS:
        raise ValueError(f"no scenario '{key}': NAME or NAME.FILE_SYSTEM, "
                         f"of {' '.join(SCENARIOS)} and {' '.join(FILE_SYSTEMS)}")
    return SCENARIOS[name].on(file_system)
