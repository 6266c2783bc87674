"""Times as people write them: found in a text, with their bounds, zone and certainty."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import time

from incidents.importer.calendar import DATE_PATTERN, WEEKDAY, WEEKDAYS, Day, read_day
from incidents.importer.stated import Point, Stated
from incidents.importer.zones import OFFSET_PATTERN, REGION_PATTERN, ZONE_PATTERN, Zone, read_zone

_MERIDIEM = r"(?:[ap]\.?m\.?(?![A-Za-z]))"
_TOKEN = re.compile(
    "|".join(
        (
            rf"(?i:{DATE_PATTERN})",
            rf"(?P<weekday>(?i:\b{WEEKDAY}\b))",
            (
                rf"(?P<clock>(?i:(?:(?<![\d:.,$#\-])|(?<=:\d\d-)|(?<=[apz][mz]-))(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?"
                rf"(?!\d|:\d|\.\d)(?:\s?{_MERIDIEM}|[ap](?![\w.]))?))"
            ),
            r"(?P<isoclock>(?<=\dT)[0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?)",
            rf"(?P<hour>(?i:(?:(?<![\d:.,$#\-])|(?<=[ap]m-))(?:0?[1-9]|1[0-2])(?:\.[0-5]\d)?\s?{_MERIDIEM}))",
            (
                rf"(?P<barehour>(?<![\d:.,$#])(?:0?[1-9]|1[0-2])"
                rf"(?=\s?(?:-|–|—|to)\s?(?:0?[1-9]|1[0-2])(?::[0-5]\d)?\s?(?i:{_MERIDIEM})))"
            ),
            r"(?P<four>(?<![\d:.,$#\-])(?:[01]\d|2[0-3])[.h]?[0-5]\d(?=\s?(?:hrs\b|hours\b|UTC|GMT|Z\b|[CEW]ES?T\b|[PMCE][SD]?T\b|BST\b|JST\b)))",
            r"(?P<dotted>(?<=\d-\d\d )(?:[01]\d|2[0-3])\.[0-5]\d(?![\d.]))",
            r"(?P<french>(?<![\d:.,$#])(?:[01]?\d|2[0-3])h[0-5]\d(?![\w:]))",
            r"(?P<named>(?i:\b(?:noon|midnight)\b))",
            r"(?P<blank>(?i:(?<![\w:?])(?:\d{1,2}:(?:xx|\?\?|[0-5][x?])|\?\?:\?\?|xx:xx|hh:mm|--:--|__:__|\?\?+)(?!\w|:[\w?])))",
            rf"(?P<zone>(?<![\w/\-.]){ZONE_PATTERN}|(?<=[\dmM.] ){REGION_PATTERN})",
            r"(?P<tailyear>(?<=[A-Z] )(?:19|20)\d{2}(?![\d:]))",
            r"(?P<zulu>(?<=\d)[Zz](?![\w]))",
            rf"(?P<offset>{OFFSET_PATTERN})",
            (
                r"(?P<approx>(?i:±|~|≈|\bapproximately\b|\bapprox\b\.?|\babout\b|\baround\b|\broughly\b"
                r"|\bcirca\b|\bca\b\.?|\bmaybe\b|\bprobably\b|\bestimated\b|\bshortly (?:before|after)\b"
                r"|\bjust (?:before|after)\b|\bsome ?time (?:around|after|before)\b|\bor so\b"
                r"|頃|ごろ|-?ish\b|(?<=\d)\+(?=[\s:)\]|,]|$)|\?+(?=[\s:)\]|,\-–]|$)))"
            ),
            r"(?P<joiner>–|—|->|→|-|\b(?:to|until|till|til|through|and)\b)",
            r"(?P<hrs>(?i:(?<=\d)\s?(?:hrs?|hours|uhr|h)\b))",
        )
    )
)
_WORTH_A_LOOK = re.compile(r"\d|\?\?|xx:|hh:|--:|__:|noon|midnight", re.IGNORECASE)
_GAP = re.compile(
    r"[\s,;()\[\]*_|/@]*(?:(?:\b(?:at|on|of|the|from|between|um|\u00e0|om|a las|alle|T)\b|(?<=\d)T(?=\d))[\s,~±(]*)?"
)
_COLON_GAP = re.compile(r"\s*:\s+|\s+[-–—]\s+")
_DURATION = re.compile(r"\s*(?:-\s*)?(?:hours?|minutes?|mins?|seconds?|days?)\b", re.IGNORECASE)
_HOURS = re.compile(r"\d+")
_NOON = 12
_HOURS_A_DAY = 24
_LARGEST_HOUR = 99
_PARENTHESIS = re.compile(r"\s*[(/]\s*")


@dataclass(slots=True)
class _Draft:
    """A Point while its tokens come in."""

    day: Day | None = None
    clock: time | None = None
    zone: Zone | None = None
    weekday: int | None = None
    meridiem: str = ""
    half: bool = False

    def point(self) -> Point:
        return Point(
            day=self.day,
            clock=self.clock,
            zone=self.zone,
            weekday=self.weekday,
            meridiem=bool(self.meridiem),
            next_day=self.half,
        )


@dataclass(slots=True)
class _Run:
    """Tokens that belong together, while they are read from left to right."""

    text: str
    begin: int
    finish: int
    seen: int
    left: _Draft = field(default_factory=_Draft)
    right: _Draft | None = None
    approx: bool = False
    flags: list[str] = field(default_factory=list)
    pending_approx: bool = False
    joiner: tuple[int, str] | None = None

    @property
    def current(self) -> _Draft:
        return self.right or self.left


def find_times(text: str) -> Iterator[Stated]:
    """Every time that ``text`` states, from left to right."""
    if not _WORTH_A_LOOK.search(text):
        return
    run: _Run | None = None
    for match in _TOKEN.finditer(text):
        if run is not None and not _continues(run, text[run.seen : match.start()], match):
            yield from _closed(run)
            run = None
        if run is None:
            if not _opens(match):
                continue
            run = _Run(text, match.start(), match.start(), match.start())
        if not _take(run, match):
            yield from _closed(run)
            run = None
            if _opens(match):
                run = _Run(text, match.start(), match.start(), match.start())
                if not _take(run, match):
                    run = None
    if run is not None:
        yield from _closed(run)


def _opens(match: re.Match[str]) -> bool:
    return _kind(match) not in ("joiner", "hrs", "zulu", "offset", "zone", "tailyear")


def _kind(match: re.Match[str]) -> str:
    kind = str(match.lastgroup)
    return "day" if kind not in _TAKERS else kind


def _continues(run: _Run, gap: str, match: re.Match[str]) -> bool:
    if _GAP.fullmatch(gap):
        return True
    # "12 January: 14:05" and "12 January - 14:05": the clock belongs to the date before it.
    lacks_clock = run.current.clock is None and "placeholder_time" not in run.flags
    return lacks_clock and _kind(match) in _CLOCKS and bool(_COLON_GAP.fullmatch(gap))


def _take(run: _Run, match: re.Match[str]) -> bool:
    kind = _kind(match)
    gap = run.text[run.seen : match.start()]
    taken = _TAKERS[kind](run, match, gap)
    if taken and kind not in ("joiner", "approx"):
        run.finish = match.end()
    run.seen = max(match.end(), run.finish)
    return taken


def _side(run: _Run, *, wants: str) -> _Draft | None:
    """Return the point that a new part belongs to: after a joiner, a second one begins."""
    if run.joiner is not None:
        if run.right is not None:
            return None
        if wants == "clock" and run.left.clock is None and not run.left.half:
            run.joiner = None  # "5 January – 14:05": the dash only parts date and clock
            return run.left
        if run.joiner[1] == "and" and not _stands_between(run):
            return None
        run.right = _Draft()
        run.joiner = None
    return run.current


def _stands_between(run: _Run) -> bool:
    return run.text[: run.begin].rstrip(" *_~(").lower().endswith("between")


def _take_day(run: _Run, match: re.Match[str], _gap: str) -> bool:
    day = read_day(match)
    side = _side(run, wants="day")
    if day is None or side is None or side.day is not None:
        return False
    if run.right is side and run.left.clock is not None and side.clock is None:
        # "14:05 – May 12 release": a range needs a clock after its second date.
        rest = run.text[match.end() : match.end() + 12]
        if not re.match(r"[\s,]*(?:at\s+)?\d{1,2}[:.]\d{2}|[\s,]*(?:at\s+)?\d{1,2}\s?[ap]m", rest):
            run.right = None
            return False
    side.day = day
    _settle_approx(run)
    return True


def _take_weekday(run: _Run, match: re.Match[str], _gap: str) -> bool:
    side = run.current if run.joiner is None else _side(run, wants="weekday")
    if side is None or side.weekday is not None:
        return False
    side.weekday = WEEKDAYS.index(match[0][:3].lower())
    return True


def _take_clock(run: _Run, match: re.Match[str], gap: str) -> bool:
    if _DURATION.match(run.text, match.end()) and match.lastgroup != "four":
        return False
    side = _side(run, wants="clock")
    if side is None:
        return False
    if side.clock is not None:
        # "22:00 UTC (23:00 CET)" says the same moment twice; the first one counts.
        return bool(_PARENTHESIS.fullmatch(gap)) and (side.zone is not None or gap == "/")
    read = _read_clock(match)
    if read is None:
        # "12:00 noon" was read with its clock already; other repeats are not times.
        return False
    side.clock, side.meridiem, side.half = read
    if "redundant" in side.meridiem:
        run.flags.append("redundant_meridiem")
    _settle_approx(run)
    return True


def _read_clock(match: re.Match[str]) -> tuple[time, str, bool] | None:
    words = match[0].lower()
    if match.lastgroup == "named":
        return (time(12), "noon", False) if words == "noon" else (time(0), "", False)
    half = "p" if "p" in words else "a" if "a" in words else ""
    numbers = [int(number) for number in _HOURS.findall(words.replace(",", "."))]
    if len(numbers) == 1 and numbers[0] > _LARGEST_HOUR:
        numbers = [numbers[0] // 100, numbers[0] % 100]
    elif match.lastgroup == "four" and len(numbers) == 1:
        numbers = [0, numbers[0]]
    hour, minute, second = (*numbers, 0, 0)[:3]
    if half and hour > _NOON:
        return time(hour % 24, minute, second), "redundant", False
    if half:
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    if hour == _HOURS_A_DAY:
        return (time(0), "", True) if not minute else None
    return time(hour, minute, second), half, False


def _take_named(run: _Run, match: re.Match[str], gap: str) -> bool:
    if run.current.clock is not None and run.joiner is None:
        return True  # "12:00 noon"
    return _take_clock(run, match, gap)


def _take_blank(run: _Run, match: re.Match[str], _gap: str) -> bool:
    if not match[0].strip("?") and run.current.clock is not None:
        run.approx = True
        return True
    side = _side(run, wants="clock")
    if side is None or side.clock is not None:
        return False
    run.flags.append("placeholder_time")
    run.approx = True
    hour = re.match(r"\d{1,2}(?=:)", match[0])
    if hour and int(hour[0]) <= _HOURS_A_DAY:
        tens = re.match(r"\d{1,2}:([0-5])", match[0])
        side.half = int(hour[0]) == _HOURS_A_DAY
        side.clock = time(int(hour[0]) % _HOURS_A_DAY, int(tens[1]) * 10 if tens else 0)
    return True


def _take_zone(run: _Run, match: re.Match[str], _gap: str) -> bool:
    zone = read_zone("UTC" if match.lastgroup == "zulu" else match[0])
    side = run.current
    if zone is None or side.clock is None or run.joiner is not None:
        return False
    if side.zone is None:
        side.zone = zone
    return True


def _take_tail_year(run: _Run, match: re.Match[str], _gap: str) -> bool:
    """Return the year at the end of "Tue Mar 1 13:00:00 UTC 2022"."""
    day = run.left.day
    if day is None or day.year is not None or run.left.zone is None or run.joiner is not None:
        return False
    run.left.day = replace(day, year=int(match[0]))
    return True


def _take_approx(run: _Run, match: re.Match[str], _gap: str) -> bool:
    words = match[0].lower()
    if words in ("ish", "-ish", "or so", "頃", "ごろ") or words[0] in "?+":
        if run.current.clock is None and run.current.day is None:
            return False
        run.approx = True
        run.finish = match.end()
    elif words == "~" and run.left.clock and run.joiner is None and run.right is None:
        run.joiner = (match.start(), "~")  # "14:00 ~ 15:00"
    else:
        run.pending_approx = True
        if run.left.clock is None and run.left.day is None:
            run.finish = match.end()
        elif run.text[match.end() : match.end() + 1] in (")", "]"):
            _settle_approx(run)
            run.finish = match.end() + 1
    return True


def _settle_approx(run: _Run) -> None:
    run.approx = run.approx or run.pending_approx
    run.pending_approx = False


def _take_joiner(run: _Run, match: re.Match[str], _gap: str) -> bool:
    side = run.left
    if run.joiner is not None or run.right is not None:
        return False
    if side.clock is None and side.day is None and "placeholder_time" not in run.flags:
        return False
    run.joiner = (match.start(), match[0].lower())
    return True


def _take_hrs(run: _Run, match: re.Match[str], _gap: str) -> bool:
    if run.current.clock is None:
        return False
    return bool(match[0])


_TAKERS = {
    "day": _take_day,
    "weekday": _take_weekday,
    "clock": _take_clock,
    "isoclock": _take_clock,
    "hour": _take_clock,
    "barehour": _take_clock,
    "four": _take_clock,
    "dotted": _take_clock,
    "french": _take_clock,
    "named": _take_named,
    "blank": _take_blank,
    "zone": _take_zone,
    "zulu": _take_zone,
    "offset": _take_zone,
    "tailyear": _take_tail_year,
    "approx": _take_approx,
    "joiner": _take_joiner,
    "hrs": _take_hrs,
}
_CLOCKS = frozenset(kind for kind, taker in _TAKERS.items() if taker in (_take_clock, _take_blank))


def _closed(run: _Run) -> Iterator[Stated]:
    left, right = run.left, run.right
    if left.clock is None and left.day is None and "placeholder_time" not in run.flags:
        return
    if right is not None and right.clock is None and right.day is None:
        right = None
    _share(left, right)
    yield Stated(
        start=left.point(),
        end=_end_of(left, right),
        approx=run.approx,
        begin=run.begin,
        finish=run.finish,
        said=run.text[run.begin : run.finish],
        flags=tuple(run.flags),
    )


def _share(left: _Draft, right: _Draft | None) -> None:
    """In a range, one side's zone and half of the day hold for the other."""
    if right is None:
        return
    left.zone = left.zone or right.zone
    right.zone = right.zone or left.zone
    left.day = left.day or (right.day if right.clock else None)
    if left.clock and right.clock and right.meridiem in ("a", "p") and not left.meridiem:
        later = left.clock.replace(hour=left.clock.hour % 12 + (12 if right.meridiem == "p" else 0))
        left.clock = later if later <= right.clock else left.clock


def _end_of(left: _Draft, right: _Draft | None) -> Point | None:
    if right is not None:
        return right.point()
    if left.day is not None and left.day.last is not None and left.clock is None:
        return Point(day=replace(left.day, day=left.day.last, last=None))
    return None
