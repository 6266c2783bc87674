"""Resolved times, and what is counted back from them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from incidents.importer.relative import Ago
from incidents.importer.zones import Zone

_COUNTED_IN_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A resolved time. ``clock`` is None for a coarse one."""

    day: date
    clock: time | None = None
    precision: str = "minute"
    zone: Zone | None = None

    @property
    def wall(self) -> datetime:
        return datetime.combine(self.day, self.clock or time())

    def iso(self) -> str:
        if self.precision == "minute":
            moment = self.zone.place(self.wall) if self.zone else self.wall
            return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"year": self.day.isoformat()[:4], "month": self.day.isoformat()[:7]}.get(
            self.precision, self.day.isoformat()
        )


def counted_back(begin: date, ago: Ago) -> Moment:
    """Return the time so long before a day, as coarse as its unit."""
    if ago.unit in _COUNTED_IN_DAYS:
        back = timedelta(days=ago.number * _COUNTED_IN_DAYS[ago.unit])
        return Moment(day=begin - back, precision="day")
    months = begin.year * 12 + begin.month - 1 - ago.number * (12 if ago.unit == "year" else 1)
    year, month = divmod(months, 12)
    return Moment(day=date(year, month + 1, 1), precision=ago.unit)
