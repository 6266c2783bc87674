"""What the way to the storage does in each profile, and how fast it lets anybody be."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from config.embedded.faults import Faults

MIB = 1024 * 1024
SPEED = 100 * MIB
SATURATED_AFTER, SATURATED_FOR, SATURATED_SPEED = 1.0, 5.0, 20 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Faults of one source or two; ``dies_after`` is when the first is gone for good."""

    name: str
    first: Faults
    second: Faults | None = None
    dies_after: float | None = None

    def seconds_allowed(self, size: int) -> float | None:
        """Return how long so many bytes take at the speed that the profile leaves, None if any.

        Of two sources only one is counted.
        """
        if not self.first.bytes_per_second:
            return None
        if not self.first.saturated_for_seconds:
            return size / SPEED
        before, slow = SATURATED_AFTER * SPEED, SATURATED_FOR * SATURATED_SPEED
        rest = max(size - before - slow, 0)
        return SATURATED_AFTER + SATURATED_FOR + rest / SPEED


def _limited(**faults: object) -> Faults:
    return Faults(bytes_per_second=SPEED, **faults)  # type: ignore[arg-type]


_SATURATION = {
    "saturated_after_seconds": SATURATED_AFTER,
    "saturated_for_seconds": SATURATED_FOR,
    "saturated_bytes_per_second": SATURATED_SPEED,
    "saturated_error_share": 0.3,
}
_ALL = _limited(
    error_share=0.1,
    silent_share=0.1,
    cut_after_bytes=32 * MIB,
    cut_before_bytes=64 * MIB,
    flip_every_bytes=256 * MIB,
    connection_bytes_per_second=25 * MIB,
    **_SATURATION,
)

PROFILES = [
    Profile(name="clean", first=Faults()),
    Profile(name="resets", first=_limited(cut_after_bytes=32 * MIB, cut_before_bytes=64 * MIB)),
    Profile(name="503 for 30 %", first=_limited(error_share=0.3)),
    Profile(name="20 % silent 60 s", first=_limited(silent_share=0.2)),
    Profile(name="slow connections", first=_limited(connection_bytes_per_second=10 * MIB)),
    Profile(name="saturation", first=_limited(**_SATURATION)),
    Profile(name="bit flips", first=_limited(flip_every_bytes=100 * MIB)),
    Profile(name="first source dies", first=_limited(), second=_limited(), dies_after=1.5),
    Profile(name="all together", first=_ALL, second=_ALL, dies_after=4.0),
]


@dataclass(slots=True)
class Way:
    """A fault proxy in a process of its own."""

    endpoint: str
    _faults: Path = Path("/dev/null")
    _counts: Path = Path("/dev/null")

    @classmethod
    def direct(cls, endpoint: str) -> Self:
        """Return the storage itself, with no proxy between."""
        return cls(endpoint)

    def set(self, faults: Faults) -> None:
        self._faults.write_text(faults.to_json(), encoding="utf-8")

    def bytes_down(self, ending: str) -> int:
        """Return what has passed of objects whose names end so."""
        # The proxy writes its counts ten times a second.
        time.sleep(0.3)
        counts = json.loads(self._counts.read_text(encoding="utf-8"))
        return sum(each["bytes_down"] for key, each in counts.items() if key.endswith(ending))


@contextmanager
def way(port: int, folder: Path, faults: Faults, seed: int) -> Iterator[Way]:
    """Have a proxy before the S3 server for the length of the block."""
    folder.mkdir(parents=True)
    paths = {name: folder / f"{name}.json" for name in ("faults", "counts")}
    paths["faults"].write_text(faults.to_json(), encoding="utf-8")
    paths["counts"].write_text("{}", encoding="utf-8")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "config.embedded.fault_proxy", "--target", str(port),
            "--seed", str(seed),
            "--faults", str(paths["faults"]), "--counts", str(paths["counts"]),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        # Until it has read its faults.
        time.sleep(0.3)
        yield Way(endpoint, paths["faults"], paths["counts"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@dataclass(slots=True)
class Ways:
    """The proxies of one run of a profile."""

    profile: Profile
    first: Way
    second: Way | None = None
    _timer: threading.Timer | None = field(default=None)

    def begin(self) -> None:
        """Put the faults in force from now on."""
        self.first.set(self.profile.first)
        if self.second is not None and self.profile.second is not None:
            self.second.set(self.profile.second)
        if self.profile.dies_after is not None:
            self._timer = threading.Timer(
                self.profile.dies_after, lambda: self.first.set(Faults(down=True))
            )
            self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def bytes_down(self, ending: str) -> int:
        both = [each for each in (self.first, self.second) if each is not None]
        return sum(each.bytes_down(ending) for each in both)


@contextmanager
def ways(profile: Profile, port: int, folder: Path, seed: int = 1) -> Iterator[Ways]:
    """Have the proxies that a profile needs, without faults until ``begin``."""
    with way(port, folder / "first", Faults(), seed) as first:
        if profile.second is None:
            yield Ways(profile, first)
            return
        with way(port, folder / "second", Faults(), seed + 1) as second:
            yield Ways(profile, first, second)
