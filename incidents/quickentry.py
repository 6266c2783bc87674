"""The line of a timeline entry as people type it in the heat: read, or answered with a sentence.

A line is an optional time, then what happened, with marks anywhere in it::

    00:30-06:00 recovery attempts failed #attempt !failed
    -15m restarted the proxy
    ~09:00 first tenants are back
    yesterday 23:50 - 00:20 short outage *started
    *detected 00:30 the alarm went off

Nothing here reads a clock or a row: the moment of typing and the zone are passed in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from incidents.errors import Refused
from incidents.times import OutOfTime, is_in_time
from incidents.values import Milestone, Outcome, Precision, When, zone

OUTCOMES = (Outcome.WORKED, Outcome.FAILED, Outcome.ABANDONED)
MILESTONES = (
    Milestone.STARTED,
    Milestone.DETECTED,
    Milestone.MITIGATED,
    Milestone.RECOVERED,
)
# Clocks differ by this much without anybody's meaning the future.
_SLACK = timedelta(minutes=5)
_LONGEST_TAG = 40
# Beyond these, a slip in the year or the month is likelier than what was written.
_LONG = timedelta(days=31)
_OLD = timedelta(days=180)
_NOON = 12

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?!\d|:\d)(?:\s?[ap]m\b)?"
_DAY = r"\d{4}-\d{1,2}-\d{1,2}(?!\d)|yesterday|today"
_OFFSET = r"UTC\b|GMT\b|Z\b|[+-]\d{2}:\d{2}\b"
_TIME = re.compile(
    rf"(?P<approx>~|±|≈|about\s|around\s)?\s*"
    rf"(?:(?P<day>{_DAY})[T\s]+)?"
    rf"(?P<clock>{_CLOCK})"
    rf"(?:\s*(?:-|–|—|to\b|until\b)\s*(?:(?P<end_day>{_DAY})[T\s]+)?(?P<end>{_CLOCK}))?"
    rf"(?:\s?(?P<zone>{_OFFSET}))?",
    re.IGNORECASE,
)
_DAYS = re.compile(
    r"(?P<approx>~|±|≈)?\s*(?P<day>\d{4}-\d{1,2}-\d{1,2})"
    r"\s*(?:-|–|—|to\b|until\b)\s*(?P<end_day>\d{4}-\d{1,2}-\d{1,2})(?=\s|:|,|$)",
    re.IGNORECASE,
)
_BARE_DAY = re.compile(r"(?P<approx>~|±|≈)?\s*(?P<day>\d{4}-\d{1,2}-\d{1,2})(?=\s|:|,|$)")
_AGO = re.compile(
    r"-\s?(?=\d)"
    r"(?:(?P<weeks>\d+)\s?w(?:eeks?)?)?\s?"
    r"(?:(?P<days>\d+)\s?d(?:ays?)?)?\s?"
    r"(?:(?P<hours>\d+)\s?h(?:ours?)?)?\s?"
    r"(?:(?P<minutes>\d+)\s?m(?:in(?:utes?)?)?)?\s?"
    r"(?:(?P<seconds>\d+)\s?s(?:ec(?:onds?)?)?)?"
    r"(?<=[a-z])(?![\w:])",
    re.IGNORECASE,
)
_UNIT = r"(?:s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|mo|months?|y|years?)"
_AHEAD = re.compile(rf"\+\s?\d+(?:[.,]\d+)?\s?{_UNIT}(?![\w:])", re.IGNORECASE)
# What begins like a time ago, and is none that can be read.
_LIKE_AGO = re.compile(rf"-\s?\d+(?:[.,]\d+)?\s?{_UNIT}(?:\s?\d+)?(?![\w:])", re.IGNORECASE)
_NOW = re.compile(r"now\b(?=\s*[:,–-]|\s*$)", re.IGNORECASE)
_BEHIND_TIME = re.compile(r"\s*(?:[:,]\s+|[-–—]\s+)?\s*")
# A mark stands by itself, or with others; a backslash before it makes it plain text.
_WORD = r"[#!*][A-Za-z][\w-]*"
_MARKS = re.compile(rf"(?<!\S)(?P<marks>(?:{_WORD})+)(?P<rest>[.,;:]?)(?!\S)")
_ONE = re.compile(r"([#!*])([A-Za-z][\w-]*)")
# Marks before the time, which then is not lost behind them.
_FOREMOST = re.compile(rf"(?P<marks>(?:(?:{_WORD})+\s+)+)(?=\S)")
# A mark and a clock without a blank between them, as a thumb leaves it out.
_GLUED = re.compile(r"(?<!\S)(?P<mark>[#!*][A-Za-z][\w-]*?)(?P<time>[~±≈]?\d{1,2}:\d{2}\S*)")
_KNOWN = frozenset(
    [*(f"!{outcome}" for outcome in OUTCOMES), *(f"*{milestone}" for milestone in MILESTONES)]
)
# One of ours within a word, where it marks nothing.
_INSIDE = re.compile(rf"(?<=[\w.,;:)])(?:{'|'.join(map(re.escape, sorted(_KNOWN)))})\b")
_ESCAPED = re.compile(r"(?<!\S)\\(?=[#!*])")
_MERIDIEM = re.compile(r"([\d:]+)\s?([ap])m", re.IGNORECASE)


class Unreadable(Refused):
    """The line does not say what it seems to mean; the sentence says how to write it.

    ``ways`` are lines to send instead, where the sentence asks which of a few is meant.
    """

    code = "unreadable-entry"

    def __init__(self, message: str = "", *, ways: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.ways = ways


class _Ambiguous(Unreadable):
    """A wall clock that was not, or was twice; ``meant`` are the moments that it can mean."""

    code = "ambiguous-entry"

    def __init__(self, message: str, *meant: datetime) -> None:
        super().__init__(message)
        self.meant = meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a line says. ``remarks`` are what its writer should look at before sending it."""

    when: When
    text: str
    tags: tuple[str, ...] = ()
    outcome: str = ""
    milestone: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Where and when the line is typed."""

    now: datetime
    tz: str
    needs_day: bool

    @property
    def zone(self) -> tzinfo:
        return zone(self.tz)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


def read_line(line: str, *, tz: str, now: datetime, needs_day: bool = False) -> Reading:
    """Read a line that is typed at ``now`` by somebody who means the zone ``tz``.

    A time without a day is the last one that has passed. With ``needs_day`` (for incidents that
    are over) such a time, or none, is not guessed at.

    :raises Unreadable: if the line has no text, or a time or mark that cannot be meant
    """
    moment = _Moment(now=now, tz=tz, needs_day=needs_day)
    line, parted = _part(line.strip())
    foremost = found["marks"].strip() if (found := _FOREMOST.match(line)) else ""
    line = line[len(foremost) :].strip()
    when, behind = _read_time(f"{line} {foremost}".strip(), moment)
    text, marks = _take_marks(f"{foremost} {line[behind:]}".strip())
    if not text:
        raise Unreadable("Say what happened: the line holds no words beside its time and marks.")
    return Reading(
        when=when,
        text=text,
        tags=_tags(marks),
        outcome=_one_of(marks, "!", OUTCOMES),
        milestone=_one_of(marks, "*", MILESTONES),
        remarks=(*parted, *_unmarked(text), *_remarks(when, moment)),
    )


def _part(line: str) -> tuple[str, list[str]]:
    """Return the line with a blank between what is known as a mark and its time; and what was read.

    :raises Unreadable: if the mark is a tag: only its writer knows where that ends
    """
    remarks = []
    while found := _GLUED.search(line):
        mark, time_ = found["mark"], found["time"]
        apart = f"{line[: found.start()]}{mark} {time_}{line[found.end() :]}"
        if mark.lower() not in _KNOWN:
            raise Unreadable(
                f"{mark} and {time_} stand without a blank between them. Put one where the mark "
                "ends.",
                ways=(apart,),
            )
        remarks.append(f"{mark}{time_} is read as {mark} and {time_}.")
        line = apart
    return line, remarks


def _unmarked(text: str) -> Iterator[str]:
    """Say what looks like a mark within a word, and is left there."""
    for found in _INSIDE.finditer(text):
        yield f"{found[0]} is left in the text: a mark has a blank before it."


def _read_time(line: str, moment: _Moment) -> tuple[When, int]:
    """Return the time at the head of the line and where the words begin."""
    if found := _AGO.match(line):
        return _ago(found, moment), _end(found, line)
    if found := _AHEAD.match(line):
        raise Unreadable(_to_come(found[0]))
    if found := _LIKE_AGO.match(line):
        raise Unreadable(
            f"How long ago is {found[0]}? Write whole numbers, as in -15m, -2h, -1h30m, -1d or "
            "-3w, or the day: 2026-01-12."
        )
    if found := _TIME.match(line):
        try:
            return _stated(found, moment), _end(found, line)
        except _Ambiguous as fault:
            ways = _ranges(found, moment) if found["end"] else map(_written, fault.meant)
            approx, words = found["approx"] or "", line[_end(found, line) :]
            raise Unreadable(
                str(fault), ways=tuple(f"{approx}{way} UTC {words}" for way in ways)
            ) from fault
    if found := _DAYS.match(line):
        return _whole_days(found, line, moment), _end(found, line)
    if found := _BARE_DAY.match(line):
        return _whole_day(found, moment), _end(found, line)
    found = _NOW.match(line)
    if moment.needs_day and not found:
        raise Unreadable(
            "This incident is over: begin with the day, as in 2026-01-12 00:30, or with now:"
        )
    return When(at=moment.now, tz=moment.tz), _end(found, line) if found else 0


def _end(found: re.Match[str], line: str) -> int:
    gap = _BEHIND_TIME.match(line, found.end())
    return gap.end() if gap else found.end()


def _ago(found: re.Match[str], moment: _Moment) -> When:
    parts = {name: int(value or 0) for name, value in found.groupdict().items()}
    if not any(parts.values()):
        raise Unreadable("How long ago? Write -15m, -2h, -1h30m, -1d or -3w.")
    try:
        at = moment.now - timedelta(**parts)
        at = at.replace(second=at.second if parts["seconds"] else 0, microsecond=0)
    except OverflowError as fault:
        raise Unreadable(str(OutOfTime.message)) from fault
    return When(at=at, tz=moment.tz, said=found[0].strip())


def _whole_day(found: re.Match[str], moment: _Moment) -> When:
    day = _day(found["day"], moment)
    at = datetime.combine(day, time(), tzinfo=moment.zone).astimezone(UTC)
    _refuse_future(at, found["day"], moment)
    return When(
        at=at,
        precision=Precision.DAY,
        approx=bool(found["approx"]),
        tz=moment.tz,
        said=found[0].strip(),
    )


def _whole_days(found: re.Match[str], line: str, moment: _Moment) -> When:
    """Return a range of whole days. One that ends at a clock of its last day is asked about."""
    if re.match(rf"[T\s]+{_CLOCK}", line[found.end() :]):
        raise Unreadable(
            f"Does this begin at 00:00? Then write {found['day']} 00:00 - {found['end_day']} "
            "and the time, or leave the time out.",
            ways=(
                f"{found['approx'] or ''}{found['day']} 00:00 - {line[found.start('end_day') :]}",
            ),
        )
    first, last = (_day(found[name], moment) for name in ("day", "end_day"))
    if last < first:
        raise Unreadable("The end is before the start. Give the end a later day.")
    at, until = (
        datetime.combine(day, time(), tzinfo=moment.zone).astimezone(UTC) for day in (first, last)
    )
    _refuse_future(at, found["day"], moment)
    return When(
        at=at,
        until=until,
        precision=Precision.DAY,
        approx=bool(found["approx"]),
        tz=moment.tz,
        said=found[0].strip(),
    )


def _ranges(found: re.Match[str], moment: _Moment) -> Iterator[str]:
    """Yield what a range can mean of which an end was not, or was twice."""
    tz = _zone_name(found["zone"]) if found["zone"] else moment.tz
    here = _Moment(now=moment.now, tz=tz, needs_day=moment.needs_day)
    clock, end = _clock(found["clock"]), _clock(found["end"])
    if found["day"]:
        starts = _meant(_day(found["day"], here), clock, here)
    else:
        passed = [at for at in _meant(here.today, clock, here) if at <= moment.now + _SLACK]
        starts = passed or _meant(here.today - timedelta(days=1), clock, here)
    for at in starts:
        day = at.astimezone(here.zone).date()
        last = _day(found["end_day"], here) if found["end_day"] else day
        ends = [until for until in _meant(last, end, here) if until >= at]
        if not ends and not found["end_day"]:
            ends = _meant(day + timedelta(days=1), end, here)
        yield from (f"{_written(at)} - {_written(until)}" for until in ends)


def _meant(day: date, clock: time, moment: _Moment) -> list[datetime]:
    """Return the moments that a wall clock can mean: one, or two."""
    try:
        return [_instant(day, clock, moment)]
    except _Ambiguous as fault:
        return sorted(fault.meant)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _stated(found: re.Match[str], moment: _Moment) -> When:
    tz = _zone_name(found["zone"]) if found["zone"] else moment.tz
    here = _Moment(now=moment.now, tz=tz, needs_day=moment.needs_day)
    clock = _clock(found["clock"])
    if found["day"]:
        at = _instant(_day(found["day"], here), clock, here)
        _refuse_future(at, found[0].strip(), here)
    elif moment.needs_day:
        raise Unreadable(
            f"This incident is over: say on which day, as in 2026-01-12 {clock:%H:%M}."
        )
    else:
        at = _last(clock, here)
    until = _until(found, at, here) if found["end"] else None
    return When(at=at, until=until, approx=bool(found["approx"]), tz=tz, said=found[0].strip())


def _until(found: re.Match[str], at: datetime, moment: _Moment) -> datetime:
    clock = _clock(found["end"])
    first = at.astimezone(moment.zone).date()
    if found["end_day"]:
        until = _instant(_day(found["end_day"], moment), clock, moment)
        if until < at:
            raise Unreadable("The end is before the start. Give the end a later time, or its day.")
        return until
    until = _instant(first, clock, moment)
    # A range that seems to run backwards ran over midnight.
    return until if until >= at else _instant(first + timedelta(days=1), clock, moment)


def _last(clock: time, moment: _Moment) -> datetime:
    """Return the last time the clock showed this, a little slack for clocks that are ahead."""
    at = _instant(moment.today, clock, moment)
    if at <= moment.now + _SLACK:
        return at
    return _instant(moment.today - timedelta(days=1), clock, moment)


def _instant(day: date, clock: time, moment: _Moment) -> datetime:
    """Return the instant of a wall clock, or refuse one that was not, or was twice."""
    local = datetime.combine(day, clock, tzinfo=moment.zone)
    early, late = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(moment.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise _Ambiguous(
            f"There was no {clock:%H:%M} on {day} in {moment.tz}: the clocks went forward over it. "
            f"Which do you mean? {_said_as(late, moment)} is {late:%Y-%m-%d %H:%M} UTC, and "
            f"{_said_as(early, moment)} is {early:%Y-%m-%d %H:%M} UTC.",
            late,
            early,
        )
    # In the hour that comes twice, whatever is still to come is not meant.
    if early != late and late <= moment.now + _SLACK:
        raise _Ambiguous(
            f"{clock:%H:%M} came twice on {day} in {moment.tz}: the clocks went back. Which do you "
            f"mean? Write {early:%Y-%m-%d %H:%M} UTC for the first, "
            f"or {late:%Y-%m-%d %H:%M} UTC for the second.",
            early,
            late,
        )
    return early


def _day(word: str, moment: _Moment) -> date:
    match word.lower():
        case "today":
            return moment.today
        case "yesterday":
            return moment.today - timedelta(days=1)
    try:
        year, month, day = (int(part) for part in word.split("-"))
        found = date(year, month, day)
    except ValueError as fault:
        raise Unreadable(
            f"There is no day {word}. Write year, month, day, as in 2026-01-12."
        ) from fault
    if not is_in_time(found):
        raise Unreadable(str(OutOfTime.message))
    return found


def _clock(word: str) -> time:
    half = _MERIDIEM.fullmatch(word)
    hour, minute, *seconds = (int(part) for part in (half[1] if half else word).split(":"))
    if half and 1 <= hour <= _NOON:
        hour = hour % _NOON + (_NOON if half[2].lower() == "p" else 0)
    elif half:
        hour = -1
    try:
        return time(hour, minute, seconds[0] if seconds else 0)
    except ValueError as fault:
        raise Unreadable(
            f"{word} is no time of day. Write hours and minutes, as in 00:30."
        ) from fault


def _zone_name(word: str) -> str:
    return word if word[0] in "+-" else "UTC"


def _refuse_future(at: datetime, said: str, moment: _Moment) -> None:
    if at > moment.now + _SLACK:
        raise Unreadable(_to_come(said))


def _to_come(said: str) -> str:
    return (
        f"{said} is still to come. The timeline holds what has happened; "
        "what is to come is a promise or an action."
    )


def _said_as(at: datetime, moment: _Moment) -> str:
    return f"{at.astimezone(moment.zone):%H:%M}"


def _take_marks(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the words without their marks, and the marks."""
    marks = [
        (sign, word.lower())
        for found in _MARKS.finditer(text)
        for sign, word in _ONE.findall(found["marks"])
    ]
    words = _MARKS.sub(lambda found: found["rest"], text)
    words = re.sub(r"\s+([.,;:])", r"\1", " ".join(words.split()))
    return _ESCAPED.sub("", words).strip(), marks


def _tags(marks: list[tuple[str, str]]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(word for sign, word in marks if sign == "#"))
    if long := next((tag for tag in tags if len(tag) > _LONGEST_TAG), None):
        raise Unreadable(f"The tag #{long[:12]}… is too long: at most {_LONGEST_TAG} characters.")
    return tags


def _one_of(marks: list[tuple[str, str]], sign: str, known: tuple[str, ...]) -> str:
    words = list(dict.fromkeys(word for mark, word in marks if mark == sign))
    choice = ", ".join(f"{sign}{word}" for word in known)
    if unknown := next((word for word in words if word not in known), None):
        raise Unreadable(
            f"{sign}{unknown} is not known. There are {choice}; "
            rf"to write the word itself, put a backslash before it: \{sign}{unknown}"
        )
    if len(words) > 1:
        raise Unreadable(f"Only one of {choice} fits an entry.")
    return words[0] if words else ""


def _remarks(when: When, moment: _Moment) -> tuple[str, ...]:
    return tuple(_remark(when, moment))


def _remark(when: When, moment: _Moment) -> Iterator[str]:
    if when.until is not None and when.until > moment.now + _SLACK:
        yield "This range ends in the future."
    if when.at is not None and when.until is not None and when.until - when.at > _LONG:
        yield f"This range lasts {(when.until - when.at).days} days. Are both its days right?"
    if when.at is not None and moment.now - when.at > _OLD:
        yield f"This is {(moment.now - when.at).days} days ago. Is the year right?"
    day = when.at.astimezone(moment.zone).date() if when.at else moment.today
    if day < moment.today and not re.search(r"\d{4}-|yesterday|^-", when.said, re.IGNORECASE):
        yield "Read as yesterday, since that time of today has not come yet."
