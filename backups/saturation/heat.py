"""What was measured by hours and weekdays, to be looked at: figures, and how bad each hour is."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

HEAT_FOR = timedelta(days=28)
# Errors that are the storage's weather. What was refused for good or is missing is none.
PASSING = frozenset(
    {"slow-down", "silent", "unreachable", "reset", "error", "wrong-length", "stale"}
)
# From how many times slower, or which share of errors, an hour is this bad.
_SLOWER = (1.3, 1.6, 2.5, 5.0)
_FAILED = (0.03, 0.07, 0.2, 0.5)
_LATE_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How one question went. ``rate`` is in bytes a second, None if nothing much was read."""

    at: datetime
    rate: float | None
    first_byte_seconds: float | None
    has_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What some probes say together; None of what none of them has measured."""

    probes: int
    failed: int
    rate: float | None
    first_byte_p50: float | None
    first_byte_p95: float | None

    @property
    def failed_share(self) -> float:
        return self.failed / self.probes if self.probes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One hour of a weekday. ``level`` goes from 0, good, to 4; None if it was never measured."""

    hour: int
    level: int | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Seven weekdays from Monday on, each of 24 hours by the clock of ``tz``; and all together."""

    tz: str
    days: Sequence[Sequence[Cell]]
    overall: Figures


def heat_of(probes: Iterable[Probed], *, tz: str) -> Heat:
    """Lay probes out by hours and weekdays."""
    zone = ZoneInfo(tz)
    cells: dict[tuple[int, int], list[Probed]] = defaultdict(list)
    everything = []
    for each in probes:
        here = each.at.astimezone(zone)
        cells[here.weekday(), here.hour].append(each)
        everything.append(each)
    figures = {place: _figures(found) for place, found in cells.items()}
    rates = sorted(each.rate for each in figures.values() if each.rate)
    waits = sorted(each.first_byte_p50 for each in figures.values() if each.first_byte_p50)
    # What good hours give: the median of the better half.
    good_rate = rates[len(rates) * 3 // 4] if rates else None
    good_wait = waits[len(waits) // 4] if waits else None
    nothing = _figures([])
    return Heat(
        tz=tz,
        days=[
            [
                Cell(
                    hour=hour,
                    level=_level(figures[day, hour], good_rate, good_wait)
                    if (day, hour) in figures
                    else None,
                    figures=figures.get((day, hour), nothing),
                )
                for hour in range(24)
            ]
            for day in range(7)
        ],
        overall=_figures(everything),
    )


def _figures(probes: Sequence[Probed]) -> Figures:
    rates = [each.rate for each in probes if each.rate]
    waits = sorted(
        each.first_byte_seconds for each in probes if each.first_byte_seconds is not None
    )
    return Figures(
        probes=len(probes),
        failed=sum(each.has_failed for each in probes),
        rate=statistics.median(rates) if rates else None,
        first_byte_p50=statistics.median(waits) if waits else None,
        first_byte_p95=waits[min(int(len(waits) * _LATE_SHARE), len(waits) - 1)] if waits else None,
    )


def _level(figures: Figures, good_rate: float | None, good_wait: float | None) -> int:
    slower = 1.0
    if figures.rate and good_rate:
        slower = good_rate / figures.rate
    elif figures.first_byte_p50 and good_wait:
        slower = figures.first_byte_p50 / good_wait
    return max(
        sum(slower >= bound for bound in _SLOWER),
        sum(figures.failed_share >= bound for bound in _FAILED),
    )
