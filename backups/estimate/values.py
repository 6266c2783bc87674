"""What the model is asked with, and what it answers: plain values, no rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backups import saturation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the storage gave at one moment, in bytes a second; 0 where nothing arrived."""

    at: datetime
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A phase of an earlier restore: how much it was, and how long that took.

    ``amount`` counts ``unit``; a phase that counts nothing has 1 and "". ``is_here`` says that it
    ran where this restore runs.
    """

    phase: str
    began_at: datetime
    seconds: float
    amount: float
    unit: str = "bytes"
    is_here: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was measured before: phases of earlier restores, and the storage by the hour.

    ``windows`` are the hours in which that storage is known to give less, those that are over too.
    """

    past: Sequence[Past] = ()
    samples: Sequence[Sample] = ()
    windows: Sequence[saturation.Window] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A phase that is to come, or what is left of the one that runs."""

    phase: str
    amount: float
    unit: str = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A time in which nothing will be done: the team sleeps, or the job is paused."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was done within a stretch of the phase that runs.

    ``begin`` and ``end`` are seconds, negative: now is 0. ``still`` is for how many seconds of it
    nothing arrived at all.
    """

    begin: float
    end: float
    amount: float
    still: float = 0.0

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def middle(self) -> float:
        return (self.begin + self.end) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a restore stands: what is left, the running phase first, and how that went so far.

    ``outages`` are the lengths, in seconds, of the times in which nothing arrived and that are
    over; ``still_seconds`` is for how long nothing has arrived now, 0 while it advances.
    """

    at: datetime
    left: Sequence[Work]
    windows: Sequence[Window] = ()
    outages: Sequence[float] = ()
    still_seconds: float = 0.0
    rests: Sequence[Rest] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """In how many seconds a restore ends: as likely before as after ``middle``.

    Half of all ends lie within the 50 % range, four of five within the 80 % range. ``basis`` names
    the measures, each with its figure, parted by commas: "past:5" (earlier restores), "hours:14"
    (days of measured storage), "last:60" (seconds of this phase), "usual:" (nothing of our own).
    Those who show it have the words.
    """

    low80: float
    low50: float
    middle: float
    high50: float
    high80: float
    basis: str
