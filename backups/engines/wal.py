"""WAL as files: the names of segments, positions in the log, and what a true segment looks like."""

import re
import struct
from dataclasses import dataclass
from typing import Self

SEGMENT_NAME = re.compile(r"^[0-9A-F]{24}$")
HISTORY_NAME = re.compile(r"^[0-9A-F]{8}\.history$")
DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024

_XLP_LONG_HEADER = 0x0002
# magic, info, timeline, page address, remaining length, system id, segment size, block size
_LONG_HEADER = struct.Struct("<HHIQI4xQII")


def parse_lsn(text: str) -> int:
    """Read ``0/6D000028`` as the number of bytes since the log began."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def format_lsn(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the log; sorts by timeline, then by place."""

    timeline: int
    number: int
    size: int = DEFAULT_SEGMENT_BYTES

    @classmethod
    def parse(cls, name: str, *, size: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """Read a segment's name.

        :raises ValueError: if the name is not one of a segment
        """
        if not SEGMENT_NAME.match(name):
            message = f"not a WAL segment: {name!r}"
            raise ValueError(message)
        per_id = 0x1_0000_0000 // size
        return cls(int(name[:8], 16), int(name[8:16], 16) * per_id + int(name[16:], 16), size)

    @classmethod
    def holding(cls, lsn: int, *, timeline: int, size: int = DEFAULT_SEGMENT_BYTES) -> Self:
        return cls(timeline, lsn // size, size)

    @property
    def name(self) -> str:
        per_id = 0x1_0000_0000 // self.size
        return f"{self.timeline:08X}{self.number // per_id:08X}{self.number % per_id:08X}"

    @property
    def start(self) -> int:
        return self.number * self.size

    @property
    def end(self) -> int:
        return self.start + self.size

    def next(self) -> "Segment":
        return Segment(self.timeline, self.number + 1, self.size)


def fault_of_segment(name: str, head: bytes, length: int, *, system_id: int = 0) -> str:
    """Say in words why these bytes cannot be the segment of that name; empty when they can.

    Looks at the length and at the header of the first page: its address, the segment's size and the
    cluster's id. The timeline in the header may be an ancestor's, since a new timeline starts with
    a copy.
    """
    if len(head) < _LONG_HEADER.size:
        return "shorter than a page header"
    _magic, info, timeline, address, _rest, owner, size, _block = _LONG_HEADER.unpack_from(head)
    if not info & _XLP_LONG_HEADER:
        return "no long header on the first page"
    expected = Segment.parse(name, size=size or DEFAULT_SEGMENT_BYTES)
    faults = (
        (length != size, f"{length} bytes instead of {size}"),
        (address != expected.start, f"its first page belongs at {format_lsn(address)}"),
        (timeline > expected.timeline, f"it belongs to timeline {timeline}"),
        (bool(system_id) and owner != system_id, "it belongs to another cluster"),
    )
    return next((words for is_so, words in faults if is_so), "")


@dataclass(frozen=True, slots=True)
class TimelineSwitch:
    """Where one timeline ended and the next began."""

    timeline: int
    lsn: int


def parse_history(text: str) -> list[TimelineSwitch]:
    """Read a ``.history`` file: the ancestors, oldest first, and where each was left."""
    switches = []
    for line in text.splitlines():
        match line.split("#", 1)[0].split():
            case [timeline, lsn, *_reason]:
                switches.append(TimelineSwitch(int(timeline), parse_lsn(lsn)))
    return switches
