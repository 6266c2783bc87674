"""What a text says of time, before anybody has worked out what it means."""

from dataclasses import dataclass
from datetime import time

from incidents.importer.calendar import Day
from incidents.importer.zones import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One moment as stated; whatever the words leave out is None."""

    day: Day | None = None
    clock: time | None = None
    zone: Zone | None = None
    weekday: int | None = None
    meridiem: bool = False
    next_day: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a stretch of text says of time. ``begin`` and ``finish`` bound its words."""

    start: Point
    end: Point | None = None
    approx: bool = False
    begin: int = 0
    finish: int = 0
    said: str = ""
    flags: tuple[str, ...] = ()

    @property
    def has_clock(self) -> bool:
        return self.start.clock is not None

    @property
    def has_day(self) -> bool:
        return self.start.day is not None

    @property
    def is_blank(self) -> bool:
        return "placeholder_time" in self.flags
