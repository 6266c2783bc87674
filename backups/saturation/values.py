"""What a storage gave at one moment, and the windows in which it gives less: plain values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 1440
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
# A window of which nobody said how slow it is counts as the least that is called one.
LEAST_SLOWER = 1.6
# Two windows that share so much of their hours are one.
_ALIKE = 0.5
_STEP = 15
_DAY = timedelta(days=1)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GROUPS = {
    EVERY_DAY: "every day",
    (1, 2, 3, 4, 5): "Monday to Friday",
    (6, 7): "Saturday and Sunday",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a storage gave at one moment.

    ``speed`` is in any measure that grows with it, the same for all readings of a ``kind``; None if
    nothing came or none was taken. Of ``asked`` requests ``failed`` were refused, broken or silent.
    """

    at: datetime
    speed: float | None = None
    asked: int = 1
    failed: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours that come back, in which a storage gives less than it can.

    From ``from_minute`` to ``until_minute`` of the day in ``tz``, on ``weekdays`` (1 is Monday; the
    day on which it begins). One that ends before it begins ends on the next day. ``slower`` is how
    many times slower than at good hours, None if nobody told. It is so from ``since_at``, and until
    ``until_at`` if that is over.
    """

    weekdays: tuple[int, ...] = EVERY_DAY
    from_minute: int
    until_minute: int
    tz: str = "UTC"
    slower: float | None = None
    error_share: float | None = None
    since_at: datetime | None = None
    until_at: datetime | None = None

    @property
    def minutes(self) -> int:
        """How long it lasts, by the clock on the wall."""
        return (self.until_minute - self.from_minute) % DAY_MINUTES or DAY_MINUTES

    @property
    def factor(self) -> float:
        """How many times slower it is to be reckoned with."""
        return max(self.slower, 1.0) if self.slower is not None else LEAST_SLOWER

    @property
    def hours(self) -> str:
        """Its days and hours in words: "every day 00:00–06:00 UTC"."""
        begins, ends = (f"{m // 60:02}:{m % 60:02}" for m in (self.from_minute, self.until_minute))
        return f"{_days(self.weekdays)} {begins}–{ends} {self.tz}"

    @property
    def words(self) -> str:
        """All of it: "every day 00:00–06:00 UTC, 4 × slower, 11 % errors, since 3 January 2026"."""
        parts = [self.hours]
        if self.slower is not None and self.slower >= 1.05:  # noqa: PLR2004 - less reads "1"
            parts.append(f"{_figure(self.slower)} × slower")
        if self.error_share is not None and self.error_share >= 0.005:  # noqa: PLR2004 - reads "0"
            parts.append(f"{self.error_share:.0%} errors".replace("%", " %"))
        if self.since_at is not None:
            parts.append(f"since {self._day(self.since_at)}")
        if self.until_at is not None:
            parts.append(f"until {self._day(self.until_at)}")
        return ", ".join(parts)

    def covers(self, at: datetime) -> bool:
        """Say whether a moment lies in it."""
        if self.since_at is not None and at < self.since_at:
            return False
        if self.until_at is not None and at >= self.until_at:
            return False
        here = at.astimezone(ZoneInfo(self.tz))
        return self.has_minute(here.isoweekday(), here.hour * 60 + here.minute)

    def has_minute(self, weekday: int, minute: int) -> bool:
        """Say whether a minute of a weekday lies in it, by the clock of its zone."""
        past = minute - self.from_minute
        if past < 0:
            past, weekday = past + DAY_MINUTES, (weekday - 2) % 7 + 1
        return past < self.minutes and weekday in self.weekdays

    def stretches(
        self, begins_at: datetime, ends_at: datetime
    ) -> Iterator[tuple[datetime, datetime]]:
        """Return when it is, from its first time that ends after ``begins_at`` on."""
        here = ZoneInfo(self.tz)
        day = begins_at.astimezone(here).date() - _DAY
        while True:
            begins = _wall(day, self.from_minute, here)
            ends = _wall(day, self.from_minute + self.minutes, here)
            if begins >= ends_at:
                return
            if day.isoweekday() in self.weekdays and ends > begins_at and self.covers(begins):
                yield begins, ends
            day += _DAY

    def meets(self, begins_at: datetime, seconds: float) -> bool:
        """Say whether a stretch of time that begins there falls into it."""
        if self.covers(begins_at):
            return True
        # After eight days every weekday has been.
        ends_at = begins_at + timedelta(seconds=min(seconds, 8 * _DAY.total_seconds()))
        return any(True for _each in self.stretches(begins_at, ends_at))

    def week(self) -> set[tuple[int, int]]:
        """Return its quarters of an hour in a week."""
        return {
            (weekday, minute)
            for weekday in EVERY_DAY
            for minute in range(0, DAY_MINUTES, _STEP)
            if self.has_minute(weekday, minute)
        }

    def _day(self, at: datetime) -> str:
        on = at.astimezone(ZoneInfo(self.tz))
        return f"{on.day} {on:%B} {on.year}"


def is_alike(one: Window, other: Window, *, at: datetime) -> bool:
    """Say whether two windows are mostly the same hours, as the clocks stand at that moment."""
    first, second = one.week(), _shifted(other, one.tz, at).week()
    return len(first & second) >= _ALIKE * len(first | second)


def merged(windows: Sequence[Window], *, at: datetime) -> list[Window]:
    """Return the windows with each told once: what has a figure goes before what has none."""
    kept: list[Window] = []
    for each in sorted(windows, key=lambda window: window.slower is None):
        if not any(is_alike(other, each, at=at) for other in kept):
            kept.append(each)
    return kept


def _shifted(window: Window, tz: str, at: datetime) -> Window:
    """Return the same hours by the clock of another zone; a shift over midnight moves the days."""
    if window.tz == tz:
        return window
    apart = at.astimezone(ZoneInfo(tz)).utcoffset(), at.astimezone(ZoneInfo(window.tz)).utcoffset()
    minutes = int(((apart[0] or timedelta()) - (apart[1] or timedelta())).total_seconds() // 60)
    days, begins = divmod(window.from_minute + minutes, DAY_MINUTES)
    return replace(
        window,
        tz=tz,
        from_minute=begins,
        until_minute=(begins + window.minutes - 1) % DAY_MINUTES + 1,
        weekdays=tuple(sorted((day + days - 1) % 7 + 1 for day in window.weekdays)),
    )


def _wall(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the moment at which a zone's clocks show this; minutes past the day's end go on."""
    more, minute = divmod(minute, DAY_MINUTES)
    clock = time(minute // 60, minute % 60)
    return datetime.combine(day + more * _DAY, clock, tzinfo=zone).astimezone(UTC)


def _days(weekdays: tuple[int, ...]) -> str:
    days = tuple(sorted(weekdays))
    if days in _GROUPS:
        return _GROUPS[days]
    names = [_DAYS[day - 1] for day in days]
    if len(names) == 1:
        return f"every {names[0]}"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _figure(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"  # noqa: PLR2004
