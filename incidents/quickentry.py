"""The line of a timeline entry as people type it in the heat: read, or answered with a sentence.

A line is an optional time, then what happened, with marks anywhere in it::

    00:30-06:00 recovery attempts failed #attempt !failed
    -15m restarted the proxy
    ~09:00 first tenants are back
    yesterday 23:50 - 00:20 short outage *started

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
# A mark stands by itself; a backslash before it makes it plain text.
_MARK = re.compile(r"(?<!\S)(?P<sign>[#!*])(?P<word>[A-Za-z][\w-]*)(?P<rest>[.,;:]?)(?!\S)")
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
    """A wall clock that was not, or was twice; ``instants`` are those that it can mean."""

    code = "ambiguous-entry"

    def __init__(self, message: str, *meant: datetime) -> None:
        super().__init__(message)
        self.instants = [f"{at:%Y-%m-%d %H:%M}" for at in meant]


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
    line = line.strip()
    when, behind = _read_time(line, moment)
    text, marks = _take_marks(line[behind:].strip())
    if not text:
        raise Unreadable("Say what happened: the line holds no words beside its time and marks.")
    return Reading(
        when=when,
        text=text,
        tags=_tags(marks),
        outcome=_one_of(marks, "!", OUTCOMES),
        milestone=_one_of(marks, "*", MILESTONES),
        remarks=_remarks(when, moment),
    )


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
            ways = () if found["end"] else tuple(
                f"{found['approx'] or ''}{way} UTC {line[_end(found, line) :]}"
                for way in fault.instants
            )  # fmt: skip
            raise Unreadable(str(fault), ways=ways) from fault
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
    marks = [(found["sign"], found["word"].lower()) for found in _MARK.finditer(text)]
    words = _MARK.sub(lambda found: found["rest"], text)
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
