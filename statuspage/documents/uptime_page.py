"""The page of uptime: every figure as text, every day that is drawn, and how it is counted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from incidents import spoken
from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.documents.bars import percent, sentence
from statuspage.documents.facts import Facts
from statuspage.documents.moments import clock, lasted, when
from statuspage.documents.pages import frame
from statuspage.documents.uptime import (
    DRAWN,
    FIRST_DRAWN,
    SPANS,
    TODAY,
    Day,
    History,
    hundredths,
)
from statuspage.documents.v2 import full_name

UPTIME = "/uptime"

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """An incident or a maintenance that touched a component; ``until`` is None while it lasts."""

    component_id: int
    path: str
    title: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """A day on which not all was well."""

    on: str
    status: str
    words: str
    spent: list[str]
    # Of a group: the members that were not well, with their status and its words.
    members: list[tuple[str, str, str, str]] = field(default_factory=list)
    causes: list[Touch] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A component or a group, with its figures and its days."""

    id: str
    name: str
    full_name: str
    is_group: bool
    is_member: bool
    figures: list[str]
    # The day since which there is a history, if it is shorter than the longest span.
    since: str
    sentence: str
    days: list[DayLine]


def uptime_page(facts: Facts, touches: Sequence[Touch]) -> bytes:
    """Return the page. ``touches`` are what befell components that were not all well."""
    has_history = any(not history.is_empty for history in facts.histories.values())
    lines = _lines(facts, touches) if has_history else []
    context = frame(facts) | {
        "lines": lines,
        "troubled": [line for line in lines if line.days],
        "spans": SPANS,
        "drawn": DRAWN,
        "counted": when(facts.at, facts.zone, year=True),
        "zone": facts.page.time_zone.removeprefix("Etc/").replace("_", " "),
        "live_url": "",
    }
    return render_to_string("statuspage/uptime.html", context).encode()


def odd_components(facts: Facts) -> list[int]:
    """Return the ids of the components of which there are days that were not all well."""
    return [
        component.pk
        for component in facts.components
        if any(index >= FIRST_DRAWN for index in _history(facts, component).odd)
    ]


def look_of(facts: Facts) -> str:
    """Return a name for the figures and days that the page shows: the same until one changes."""
    seen = hashlib.blake2b(digest_size=8)
    for component in facts.components:
        history = _history(facts, component)
        figures = [figure and hundredths(figure) for figure in history.uptime.values()]
        today = history.odd.get(TODAY)
        lasted_today = (
            [spent // _MINUTE for spent in _settled(history, facts.at, today)[1:]] if today else []
        )
        said = (
            component.public_id,
            component.name,
            component.group_id,
            component.history_version,
            component.start_on,
            facts.is_hidden(component),
            history.calendar.today,
            figures,
            lasted_today,
        )
        seen.update(repr(said).encode())
    return seen.hexdigest()


def _lines(facts: Facts, touches: Sequence[Touch]) -> list[Line]:
    by_component: dict[int, list[Touch]] = {}
    for touch in touches:
        by_component.setdefault(touch.component_id, []).append(touch)
    members: dict[int | None, list[Component]] = {}
    for component in facts.components:
        members.setdefault(component.group_id, []).append(component)
    found: list[Line] = []
    for component in members.get(None, []):
        if facts.is_hidden(component):
            continue
        own = members.get(component.pk, []) if component.is_group else []
        days = (
            _group_days(facts, own, by_component)
            if component.is_group
            else _days(facts, component, by_component)
        )
        found.append(_line(facts, component, days))
        found.extend(
            _line(facts, member, _days(facts, member, by_component))
            for member in own
            if not facts.is_hidden(member)
        )
    return found


def _line(facts: Facts, component: Component, days: list[DayLine]) -> Line:
    history = _history(facts, component)
    is_young = 0 < history.first <= TODAY
    return Line(
        id=component.public_id,
        name=component.name,
        full_name=full_name(component),
        is_group=component.is_group,
        is_member=component.group_id is not None,
        figures=[percent(history.uptime[span]) for span in SPANS],
        since=spoken.day(history.calendar.day(history.first)) if is_young else "",
        sentence=sentence(history),
        days=days,
    )


def _days(
    facts: Facts, component: Component, touches: Mapping[int, Sequence[Touch]]
) -> list[DayLine]:
    """Return a component's days, newest first."""
    history = _history(facts, component)
    return [
        DayLine(
            on=spoken.day(day.on),
            status=day.worst or "unknown",
            words=str(day.worst.label) if day.worst else _("No data"),
            spent=_spent(facts, history, day, is_today=index == TODAY),
            causes=_going_on(history, index, touches.get(component.pk, ())),
        )
        for index, day in sorted(history.odd.items(), reverse=True)
        if index >= FIRST_DRAWN
    ]


def _group_days(
    facts: Facts, members: Sequence[Component], touches: Mapping[int, Sequence[Touch]]
) -> list[DayLine]:
    """Return a group's days, newest first, each with the members that were not well."""
    group = {member.pk: _history(facts, member) for member in members}
    indexes = {index for history in group.values() for index in history.odd if index >= FIRST_DRAWN}
    found = []
    for index in sorted(indexes, reverse=True):
        odd = [(part, worst) for part in members if (worst := group[part.pk].worst.get(index))]
        if not odd:
            continue
        status = max((worst for _part, worst in odd), key=lambda worst: worst.rank)
        history = group[odd[0][0].pk]
        found.append(
            DayLine(
                on=spoken.day(history.calendar.day(index)),
                status=status,
                words=str(status.label),
                spent=[],
                members=[
                    (
                        "" if facts.is_hidden(part) else part.public_id,
                        part.name,
                        worst,
                        str(worst.label),
                    )
                    for part, worst in odd
                ],
                causes=_going_on(
                    history,
                    index,
                    [touch for part, _worst in odd for touch in touches.get(part.pk, ())],
                ),
            )
        )
    return found


def _spent(facts: Facts, history: History, day: Day, *, is_today: bool) -> list[str]:
    """Say how long the component was how on that day, the worst first."""
    settled = _settled(history, facts.at, day) if is_today else day.spent
    found = []
    for status in reversed(ComponentStatus):
        if status == ComponentStatus.OPERATIONAL or not day.spent[status.rank]:
            continue
        words = {"status": status.label, "length": lasted(settled[status.rank])}
        if not is_today or settled[status.rank] == day.spent[status.rank]:
            found.append(_("{status}: {length}").format_map(words))
            continue
        words["moment"] = _moment(facts, history)
        if settled[status.rank]:
            found.append(_("{status}: {length}, and again since {moment}").format_map(words))
        else:
            found.append(_("{status}: since {moment}").format_map(words))
    return found


def _settled(history: History, at: datetime, day: Day) -> Sequence[timedelta]:
    """Return today's time by status without what still goes on: that would grow by the minute."""
    if history.since is None or history.now is None:
        return day.spent
    going = at - max(history.since, history.calendar.edges[TODAY])
    rank = history.now.rank
    return [
        max(spent - going, timedelta(0)) if number == rank else spent
        for number, spent in enumerate(day.spent)
    ]


def _moment(facts: Facts, history: History) -> str:
    since = history.since or facts.at
    if since >= history.calendar.edges[TODAY]:
        return clock(since, facts.zone)
    return spoken.moment(since, facts.zone)


def _going_on(history: History, index: int, touches: Iterable[Touch]) -> list[Touch]:
    """Return what was going on during a day, each once, the oldest first."""
    begin, end = history.calendar.edges[index], history.calendar.edges[index + 1]
    found = {
        touch.path: touch
        for touch in touches
        if touch.since < end and (touch.until is None or touch.until > begin)
    }
    return sorted(found.values(), key=lambda touch: (touch.since, touch.path))


def _history(facts: Facts, component: Component) -> History:
    return facts.histories[component.pk]
