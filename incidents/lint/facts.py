"""Where prose, figures and other accounts say something else than the timeline."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from incidents.importer import Entry, Reading, Statement
from incidents.importer.reading import is_clocked, read_iso, without_zone
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times
from incidents.importer.zones import Zone
from incidents.lint.findings import Finding, Level, cite, clock, finding
from incidents.lint.updates import in_words

_ILL = r"(?:unavailab\w+|not (?:be )?available|inaccessible|unreachable|down|offline|degraded|disrupted|outage|downtime|impact\w*|affected|disruption|degradation|interruption)"
# "unavailable from 17:45", "outage began at 17:45", "Impact: 17:45 -": the words before the time.
_BEGINS = re.compile(
    rf"\b{_ILL}\b[^.;:!?\d]{{0,60}}\b(?:from|since|as of|(?:start|beg)(?:ing|inning|ed|an|s|ins)?(?: at| from)?)\s+(?:about |around |approximately |roughly |~ ?)?(?:the )?$"
    rf"|\b(?:impact|outage|incident|downtime) (?:start|began|begin|beginning)(?: time)?\s*(?:\([^)]*\))?\s*[:|]\s*$",
    re.IGNORECASE,
)
_WORTH_A_LOOK = re.compile(rf"\b(?:{_ILL}|incident)\b", re.IGNORECASE)
_CLAIMS = (
    ("time to detect", ("started",), ("detected",), re.compile(r"\b(?:TTD|MTTD|time to (?:detect|detection))\b[^.\d]{0,25}$", re.IGNORECASE)),
    ("time to mitigate", ("started", "detected"), ("mitigated", "recovered", "resolved"), re.compile(r"\b(?:TTM|MTTM|time to (?:mitigate|mitigation))\b[^.\d]{0,25}$", re.IGNORECASE)),
    ("time to recover", ("started", "detected"), ("mitigated", "recovered", "resolved"), re.compile(r"\b(?:TTR|MTTR|time to (?:recover|recovery|restore|resolve|resolution))\b[^.\d]{0,25}$", re.IGNORECASE)),
    ("duration", ("started", "detected", "declared"), ("mitigated", "recovered", "resolved"), re.compile(r"\b(?:(?:incident|outage|impact|disruption|total|downtime|time)\s+)?duration\b(?: of (?:the )?(?:incident|outage|impact|disruption))?\s*(?:\([^)]*\))?\s*(?:[:|=]|was|of|is)\s*(?:about |around |approximately |approx\.? |roughly |~ ?|a total of )?$|\b(?:outage|incident|disruption|downtime) (?:lasted|took|went on)(?: for)?\s+(?:about |around |approximately |approx\.? |roughly |~ ?|a total of )?$", re.IGNORECASE)),
)  # fmt: skip
_UNIT = r"(?:d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?)"
_FIGURE = rf"\d{{1,4}}(?:[.,]\d)?\s*-?{_UNIT}(?![a-z])"
_LENGTH = re.compile(rf"{_FIGURE}(?:(?:,| and|,? ?&)?\s*{_FIGURE}){{0,2}}", re.IGNORECASE)
_PART = re.compile(r"(\d{1,4}(?:[.,]\d)?)\s*-?([dhm])", re.IGNORECASE)
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_ROUGH = 0.1
_SLACK = timedelta(minutes=2)
_NEAR = timedelta(minutes=1)
_ABOUT = timedelta(minutes=15)
_LEAST_WORDS = 4
_WORD = re.compile(r"\w+")


def impact_start_disagrees(reading: Reading) -> Iterator[Finding]:
    """Find where the impact is said to begin at another time than the timeline's start."""
    started = _milestone(reading, "started")
    if started is None or _tells_of_several(reading) or not is_clocked(started.start):
        return
    yield from _windows_against(started, reading)
    clocks = _Clocks(reading)
    for told in _beginnings(reading):
        statement, stated = told[0]
        other = clocks.entry_at(stated)
        if other is not None and other.n != started.n and not _fits(started, stated):
            yield finding(
                "impact_start_disagrees",
                Level.WARNING,
                (started, *(each for each, _stated in told)),
                message=f"The impact is said to begin at {_said(stated)}, the timeline starts at {clock(started.start)}.",
                evidence=f"{cite(statement, _around(statement.text, stated))}; {cite(started, started.text60)}",
                fix="Correct one of them, or mark the entry with which it began.",
            )


def _windows_against(started: Entry, reading: Reading) -> Iterator[Finding]:
    """Hold the first of what customers went without against the start; others suffer later."""
    own = read_iso(started.start)
    timed = [
        (at, window)
        for window in reading.windows
        if is_clocked(window.start) and (at := read_iso(window.start))
    ]
    if not timed or own is None:
        return
    at, window = min(timed, key=lambda pair: pair[0])
    if _apart(own, at) > _slack(started):
        yield finding(
            "impact_start_disagrees",
            Level.WARNING,
            (started, window),
            message=f"The impact begins at {clock(window.start)}, the timeline at {clock(started.start)}.",
            evidence=f"{cite(started, started.text60)}; impact: {window.text[:60]}",
            fix="Correct one of them, or say what customers noticed only later.",
        )


def milestone_without_entry(reading: Reading) -> Iterator[Finding]:
    """Find where a text says when it began, and the timeline has no entry at that time."""
    if not reading.entries or _tells_of_several(reading):
        return
    clocks = _Clocks(reading)
    for told in _beginnings(reading):
        statement, stated = told[0]
        if clocks.entry_at(stated) is None:
            yield finding(
                "milestone_without_entry",
                Level.WARNING,
                [each for each, _stated in told],
                message=f"It is said to begin at {_said(stated)}, and the timeline has no entry there.",
                evidence=cite(statement, _around(statement.text, stated)),
                fix="Add the entry, or correct the time in the text.",
            )


def metric_disagrees(reading: Reading) -> Iterator[Finding]:
    """Find where a duration is stated that no milestones of the timeline are apart."""
    if _tells_of_several(reading):
        return
    for statement in reading.statements:
        for said in _LENGTH.finditer(statement.text):
            before = statement.text[max(0, said.start() - 100) : said.start()]
            for name, starts, ends, words in _CLAIMS:
                spans = _spans(reading, starts, ends)
                if not words.search(before) or not spans:
                    continue
                if not any(_agrees(said[0], span) for span in spans.values()):
                    yield _disagreement(statement, name, said[0], spans)
                break


def fact_disagrees_across_documents(reading: Reading) -> Iterator[Finding]:
    """Find where another account gives another time for what the timeline tells."""
    by_row = {entry.row: entry for entry in reading.entries if entry.row}
    by_words = {_key(entry.text): entry for entry in reading.entries}
    for other in reading.others:
        for told in other.entries:
            own = by_row.get(told.row) if told.row else by_words.get(_key(told.text))
            if own is None or not _differ(own, told):
                continue
            yield finding(
                "fact_disagrees_across_documents",
                Level.WARNING,
                (own,),
                message=f"It is at {clock(own.start)} here, and at {clock(told.start)} in {other.name}.",
                evidence=f"{cite(own, own.text60)}; {other.name}: {told.said or told.text60}",
                fix="Correct the one that is wrong, or say why they differ.",
            )


def _beginnings(reading: Reading) -> Iterable[list[tuple[Statement, Stated]]]:
    """Return where texts say when customers began to suffer, those with the same time together."""
    told: dict[object, list[tuple[Statement, Stated]]] = {}
    for statement in reading.statements:
        if not _WORTH_A_LOOK.search(statement.text):
            continue
        for stated in find_times(statement.text):
            before = statement.text[max(0, stated.begin - 120) : stated.begin]
            if stated.start.clock is not None and _BEGINS.search(before):
                point = stated.start
                told.setdefault((point.day, point.clock, point.zone), []).append(
                    (statement, stated)
                )
    return told.values()


class _Clocks:
    """Which entries begin or end at which minute of a day, in the zones that are asked for.

    By minute: held one by one against each other, long texts and long timelines take for ever.
    """

    def __init__(self, reading: Reading) -> None:
        self._entries = reading.entries
        self._by_zone: dict[Zone | None, dict[int, list[Entry]]] = {}

    def entry_at(self, stated: Stated) -> Entry | None:
        """Return an entry that begins or ends at a time that a text states."""
        point = stated.start
        assert point.clock is not None
        minute = point.clock.hour * 60 + point.clock.minute
        reach = int(_ABOUT.total_seconds()) // 60
        near = sorted(
            range(minute - reach, minute + reach + 1), key=lambda each: abs(each - minute)
        )
        return next(
            (
                entry
                for each in near
                for zone in dict.fromkeys((None, point.zone))
                for entry in self._at(zone).get(each, ())
                if _fits(entry, stated)
            ),
            None,
        )

    def _at(self, zone: Zone | None) -> dict[int, list[Entry]]:
        if zone not in self._by_zone:
            minutes: dict[int, list[Entry]] = {}
            for entry in self._entries:
                for words in (entry.start, entry.end):
                    moment = without_zone(words) if zone is None else _in_zone(words, zone)
                    if moment is not None and is_clocked(words):
                        minutes.setdefault(moment.hour * 60 + moment.minute, []).append(entry)
            self._by_zone[zone] = minutes
        return self._by_zone[zone]


def _fits(entry: Entry, stated: Stated) -> bool:
    """Whether an entry begins or ends at a time that a text states; day and zone count if said."""
    # "5 pm" is no minute.
    vague = stated.approx or entry.approx or not re.search(r"\d[:.h]\d\d", stated.said)
    slack = _ABOUT if vague else _NEAR
    return any(
        moment is not None and _shows(moment, stated.start, slack)
        for words in (entry.start, entry.end)
        if is_clocked(words)
        for moment in (without_zone(words), _in_zone(words, stated.start.zone))
    )


def _in_zone(words: str | None, zone: Zone | None) -> datetime | None:
    """Return the moment as the clocks of the stated zone show it, if both zones are known."""
    moment = read_iso(words)
    if moment is None or moment.tzinfo is None or zone is None:
        return None
    there = zone.place(moment.replace(tzinfo=None)).tzinfo
    return moment.astimezone(there).replace(tzinfo=None)


def _shows(moment: datetime, point: Point, slack: timedelta) -> bool:
    assert point.clock is not None
    day = point.day
    if (
        day is not None
        and day.day
        and (moment.month, moment.day)
        not in (
            (day.month, day.day),
            (day.exchanged().month, day.exchanged().day),
        )
    ):
        return False
    there = moment.replace(hour=point.clock.hour, minute=point.clock.minute, second=0)
    return abs(moment.replace(second=0) - there) <= slack


def _spans(
    reading: Reading, starts: tuple[str, ...], ends: tuple[str, ...]
) -> dict[tuple[Entry, Entry], timedelta]:
    """Return how far the milestones are apart that a figure may mean."""
    timed = [entry for entry in reading.entries if is_clocked(entry.start)]
    if not timed:
        return {}
    named = [entry for name in starts if (entry := _milestone(reading, name))]
    over = [entry for name in ends if (entry := _milestone(reading, name))]
    if not named or not over:
        return {}
    # Some count from the first thing that the timeline tells to the last.
    firsts, lasts = [*named, timed[0]], [*over, timed[-1]]
    return {
        (first, last): abs(other - one)
        for first in firsts
        for last in lasts
        if is_clocked(first.start) and is_clocked(last.start) and first is not last
        if (one := without_zone(first.start)) and (other := without_zone(last.start))
    }


def _disagreement(
    statement: Statement, name: str, said: str, spans: dict[tuple[Entry, Entry], timedelta]
) -> Finding:
    # The first pair is that of the milestones which the figure is usually counted between.
    (first, last), span = next(iter(spans.items()))
    return finding(
        "metric_disagrees",
        Level.WARNING,
        (statement, first, last),
        message=f"The {name} is given as {said.strip()}; {first.milestone} to {last.milestone} is {in_words(span)}.",
        evidence=f"{cite(statement, statement.text[:100])}; {clock(first.start)} to {clock(last.start)}",
        fix="Give the figure of the timeline, correct a milestone, or say what else it counts.",
    )


def _agrees(said: str, span: timedelta) -> bool:
    """Whether a figure is the span, as exact as its smallest unit and a tenth of it."""
    parts = [(float(n.replace(",", ".")), unit.lower()) for n, unit in _PART.findall(said)]
    claimed = sum((_UNITS[unit] * n for n, unit in parts), timedelta())
    smallest = min(_UNITS[unit] for _n, unit in parts)
    slack = max(claimed * _ROUGH, smallest * 0.5 if smallest > _SLACK else _SLACK)
    return abs(claimed - span) <= slack


def _differ(own: Entry, told: Entry) -> bool:
    if not is_clocked(own.start) or not is_clocked(told.start):
        return bool(told.row) and own.start != told.start and None not in (own.start, told.start)
    one, two = read_iso(own.start), read_iso(told.start)
    assert one is not None
    assert two is not None
    if not told.row and len(_WORD.findall(told.text)) < _LEAST_WORDS:
        return False
    return _apart(one, two) > timedelta()


def _apart(one: datetime, two: datetime) -> timedelta:
    if one.tzinfo is None or two.tzinfo is None:
        one, two = one.replace(tzinfo=None), two.replace(tzinfo=None)
    return abs(one - two)


def _slack(entry: Entry) -> timedelta:
    return _ABOUT if entry.approx else _NEAR


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _said(stated: Stated) -> str:
    return f"{stated.start.clock:%H:%M}" if stated.start.clock else stated.said


def _around(text: str, stated: Stated) -> str:
    return text[max(0, stated.begin - 60) : stated.finish + 20].strip()


def _tells_of_several(reading: Reading) -> bool:
    return len({entry.part for entry in reading.entries}) > 1


def _milestone(reading: Reading, name: str) -> Entry | None:
    return next((entry for entry in reading.entries if entry.milestone == name), None)


FACT_CHECKS = (
    impact_start_disagrees,
    milestone_without_entry,
    metric_disagrees,
    fact_disagrees_across_documents,
)
