"""When a backup, a drill or a window falls: cron expressions of five fields, in a zone's own time.

Two promises beyond cron. An hour that a change of the clock leaves out is met at the first moment
after the gap, and one that it doubles is met the first time only. A schedule for every hour runs by
hours that pass, whatever the clock on the wall does. Knows no Django.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import merge
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

# A schedule longer than this is not stored, and nobody could read it.
LENGTH = 100
# So many moments, and so long, tell how far apart a schedule's moments get; a weekend at least.
_MOMENTS_SEEN = 400
_SEEN_AT_LEAST = timedelta(days=8)
_SEEN_FOR = timedelta(days=366 * 9)
_FIELDS = 5
# In words: no more times of a day, or days of a month, are named one by one.
_TIMES_SAID = 4
# So many hours that go round evenly are told by how far apart they are.
_ROUND = 3
_DAILY = "every day"
_MONTH_DAYS = 31
_ALL_MONTHS = 12
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_HOUR_FIELD = 1
_SECOND = timedelta(seconds=1)
# Any moment will do to see whether an expression can be read.
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_REACH = {
    "minute": "The minute (the first field) is 0 to 59.",
    "hour": "The hour (the second field) is 0 to 23.",
    "day-of-month": "The day (the third field) is 1 to 31, or L for the month's last, "
    "and has to be a day that some month has.",
    "month": "The month (the fourth field) is 1 to 12 or JAN to DEC.",
    "day-of-week": "The weekday (the fifth field) is 0 to 7 or SUN to SAT; 0 and 7 are Sunday.",
}


class BadSchedule(ValueError):
    """An expression or a zone cannot be read. ``advice`` says to people what to write instead."""

    def __init__(self, advice: str) -> None:
        super().__init__(advice)
        self.advice = advice


def check(expression: str) -> None:
    """See that an expression can be read and ever falls.

    :raises BadSchedule: if not
    """
    if len(expression) > LENGTH:
        raise BadSchedule(f"A schedule has at most {LENGTH} characters. Write it shorter.")
    _read(expression)
    if next(_wall(expression, ZoneInfo("UTC"), _SOME_TIME), None) is None:
        raise BadSchedule(f"“{expression}” never falls: no such day comes. Choose another day.")


def check_zone(tz: str) -> None:
    """See that there is such a zone.

    :raises BadSchedule: if not
    """
    _zone(tz)


def next_after(expression: str, tz: str, at: datetime) -> datetime:
    """Return the first moment of a schedule that is later than ``at``, in UTC.

    :raises BadSchedule: if the expression or the zone cannot be read, or it never falls again
    """
    for moment in _from(expression, tz, at):
        return moment
    raise BadSchedule(f"“{expression}” never falls again. Choose another day.")


def last_before(expression: str, tz: str, at: datetime) -> datetime:
    """Return the last moment of a schedule that is not later than ``at``, in UTC.

    :raises BadSchedule: if the expression or the zone cannot be read, or it never fell
    """
    for moment in _wall(expression, _zone(tz), at, backwards=True):
        if moment <= at:
            return moment
    raise BadSchedule(f"“{expression}” never fell. Choose another day.")


def moments(
    expression: str, tz: str, *, after: datetime, before: datetime | None = None
) -> Iterator[datetime]:
    """Yield the moments of a schedule later than ``after`` and earlier than ``before``, in UTC.

    In order, each once; without an end where ``before`` is None.

    :raises BadSchedule: if the expression or the zone cannot be read
    """
    for moment in _from(expression, tz, after):
        if before is not None and moment >= before:
            return
        yield moment


def longest_between(
    expression: str, tz: str, at: datetime, *, beside: str = ""
) -> timedelta | None:
    """Return the longest stretch between two moments of a schedule that follow each other.

    Of it and the one ``beside`` it taken together; an empty one never falls. Of the next nine
    years, or the next 400 moments and eight days where they come sooner. None where there are not
    two in that time.
    """
    planned = [
        moments(each, tz, after=at, before=at + _SEEN_FOR) for each in (expression, beside) if each
    ]
    longest = None
    for seen, (one, later) in enumerate(pairwise(merge(*planned))):
        longest = later - one if longest is None else max(longest, later - one)
        if seen >= _MOMENTS_SEEN and later - at > _SEEN_AT_LEAST:
            break
    return longest


def in_words(expression: str) -> str:
    """Say a schedule as people say it: "every day at 02:00", "Sundays at 02:00", "every 6 hours".

    What has no such words is said field by field; empty is "never". The zone is not said.

    :raises BadSchedule: if it cannot be read
    """
    if not expression.strip():
        return "never"
    read = _read(expression)
    days, clock = _days(read), _clock(read)
    if not days or not clock:
        explained = read.explain()
        return explained[:1].lower() + explained[1:]
    if clock.startswith("every"):
        return clock if days == _DAILY else f"{clock}, {days}"
    return f"{days} {clock}"


def _clock(read: CronSim) -> str:
    """Say the times of a day; empty where they have no short words."""
    minutes, hours = sorted(read.minutes), sorted(read.hours)
    apart = _apart(minutes, 60)
    if len(hours) == 24:  # noqa: PLR2004 -- every hour of a day
        if len(minutes) == 1:
            return f"every hour at {minutes[0]:02} minutes past" if minutes[0] else "every hour"
        return f"every {apart} minutes" if apart and minutes[0] == 0 else ""
    if len(minutes) > 1:
        return ""
    times = [f"{hour:02}:{minutes[0]:02}" for hour in hours]
    apart = _apart(hours, 24)
    if len(hours) >= _ROUND and apart:
        begin = "" if times[0] == "00:00" else f" from {times[0]}"
        return f"every {apart} hours{begin}"
    return f"at {_listed(times)}" if len(times) <= _TIMES_SAID else ""


def _apart(values: list[int], of: int) -> int:
    """Return how far apart values lie that go round evenly; 0 where they do not."""
    step = of // len(values)
    first = values[0]
    return step if len(values) > 1 and values == list(range(first, first + of, step)) else 0


def _days(read: CronSim) -> str:
    """Say the days; empty where they have no short words."""
    weekdays = {each % 7 if isinstance(each, int) else -1 for each in read.weekdays}
    monthly = sorted(read.days)
    any_weekday, any_day = len(weekdays - {-1}) == len(_WEEKDAYS), len(monthly) == _MONTH_DAYS
    if len(read.months) < _ALL_MONTHS or -1 in weekdays or monthly[0] < 1:
        return ""
    # Two stars, or two that are each enough by themselves.
    if (any_weekday and any_day) or (not read.day_and and (any_weekday or any_day)):
        return _DAILY
    if any_day:
        return _said_weekdays(sorted(weekdays, key=lambda each: (each - 1) % 7))
    if any_weekday and len(monthly) <= _TIMES_SAID:
        return f"on the {_listed([_ordinal(each) for each in monthly])} of the month"
    return ""


def _said_weekdays(weekdays: list[int]) -> str:
    """Say days of the week, Monday first: "Sundays", "Monday to Friday"."""
    order = [(each - 1) % 7 for each in weekdays]
    if len(order) > 2 and order == list(range(order[0], order[-1] + 1)):  # noqa: PLR2004 -- a stretch
        return f"{_WEEKDAYS[weekdays[0]]} to {_WEEKDAYS[weekdays[-1]]}"
    return _listed([f"{_WEEKDAYS[each]}s" for each in weekdays])


def _ordinal(day: int) -> str:
    """Write a day of a month: 1st, 2nd, 11th."""
    teens = day // 10 == 1
    return f"{day}{'th' if teens else _ENDINGS.get(day % 10, 'th')}"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _from(expression: str, tz: str, at: datetime) -> Iterator[datetime]:
    """Yield every moment later than ``at``, each once."""
    last = at
    for moment in _wall(expression, _zone(tz), at):
        if moment > last:
            yield moment
            last = moment


def _wall(
    expression: str, zone: ZoneInfo, at: datetime, *, backwards: bool = False
) -> Iterator[datetime]:
    """Yield moments from about ``at`` on, in order, some twice; the caller drops what is too early.

    Read on the wall's own clock, without a zone, so that each time of the wall is met once; then
    put where that time is: the first of two, or the end of the gap that it falls into.
    """
    parts = _parts(expression)
    here = at.astimezone(zone)
    if len(_read(expression).hours) == 24:  # noqa: PLR2004 -- every hour of a day
        # By hours that pass: the library counts so when the hour is a star and the time has a zone.
        parts[_HOUR_FIELD] = "*"
        there = (at + _SECOND).astimezone(zone) if backwards else here
        for moment in CronSim(" ".join(parts), there.replace(microsecond=0), reverse=backwards):
            yield moment.astimezone(UTC)
        return
    start = here.replace(tzinfo=None, microsecond=0)
    if backwards:
        # In the second of two equal hours, all of the first have been.
        doubled = here.replace(fold=0).utcoffset(), here.replace(fold=1).utcoffset()
        spare = (doubled[0] or timedelta()) - (doubled[1] or timedelta())
        start += _SECOND + max(spare, timedelta())
    for naive in CronSim(" ".join(parts), start, reverse=backwards):
        yield _placed(naive, zone)


def _placed(naive: datetime, zone: ZoneInfo) -> datetime:
    """Return when the wall first shows a time, in UTC; of one left out, the end of the gap."""
    moment = naive.replace(tzinfo=zone)
    as_utc = moment.astimezone(UTC)
    if as_utc.astimezone(zone).replace(tzinfo=None) == naive:
        return as_utc
    # Read as before the change, it lies after the gap, and read as after it, before the gap.
    low, high = moment.replace(fold=1).astimezone(UTC), as_utc
    offset = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule(
            f"There is no time zone “{tz}”. Write one as Europe/Berlin or UTC."
        ) from None


def _parts(expression: str) -> list[str]:
    parts = expression.upper().split()
    if len(parts) != _FIELDS:
        raise BadSchedule(
            "A schedule has five fields: minute, hour, day of the month, month, weekday. "
            "“0 2 * * *” is every day at 02:00."
        )
    return parts


@lru_cache(maxsize=1024)
def _read(expression: str) -> CronSim:
    """Return an expression as read; never advanced, so that it may be kept."""
    parts = _parts(expression)
    try:
        return CronSim(" ".join(parts), _SOME_TIME)
    except CronSimError as error:
        reach = _REACH.get(str(error).removeprefix("Bad "), "Write it as “0 2 * * *”.")
        raise BadSchedule(f"“{expression}” is no schedule. {reach}") from error
