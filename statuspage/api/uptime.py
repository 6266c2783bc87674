"""How much of a stretch of time components were there."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from incidents import queries
from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.api.base import ManagementView
from statuspage.api.faults import Unfit
from statuspage.documents.moments import iso
from statuspage.documents.uptime import hundredths, midnight, uptime

_USUAL = timedelta(days=90)
_LONGEST = timedelta(days=186)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_STATUSES = tuple(ComponentStatus)
_MAJOR, _SOME = ComponentStatus.MAJOR_OUTAGE.rank, ComponentStatus.PARTIAL_OUTAGE.rank
_ALL = 10_000


class UptimeView(ManagementView):
    def spent(self, part: Component, begins: datetime, ends: datetime) -> list[timedelta]:
        """Return how long a component had each status, by rank."""
        found = [timedelta(0)] * len(_STATUSES)
        for stretch in queries.status_during(part.pk, begins, ends):
            assert stretch.ended_at is not None
            found[ComponentStatus(stretch.status).rank] += stretch.ended_at - stretch.began_at
        return found

    def said(self, row: Component, parts: Sequence[Component]) -> dict[str, Any]:
        """Return the figures of components together: the mean of them, and the sum of outages."""
        begins, ends, warnings = self._range(parts)
        spent = [self.spent(part, begins, ends) for part in parts]
        known = [figure for each in spent if (figure := uptime(tuple(each))) is not None]
        percent = sum(hundredths(figure) for figure in known) / len(known) if known else _ALL
        return {
            "range_start": iso(begins, self.facts.zone),
            "range_end": iso(ends, self.facts.zone),
            "uptime_percentage": round(percent / 100, 2),
            "major_outage": sum(_seconds(each[_MAJOR]) for each in spent),
            "partial_outage": sum(_seconds(each[_SOME]) for each in spent),
            "warnings": warnings,
            "id": row.public_id,
            "name": row.name,
        }

    def touching_of(self, part: Component) -> list[dict[str, str]]:
        """Return the incidents that concerned a component in the stretch."""
        if self.asked("skip_related_events").lower() in ("true", "t", "1"):
            return []
        begins, _ends, _warnings = self._range([part])
        rows = queries.public_touches([part.pk], since=begins)
        return [{"id": row.public_id} for _pk, row in rows]

    def _range(self, parts: Sequence[Component]) -> tuple[datetime, datetime, list[str]]:
        """Return from when until when is asked, cut to what can be told, with what was cut.

        :raises Unfit: if it is no stretch of time
        """
        zone, warnings = self.facts.zone, list[str]()
        last = _day(self.asked("end"), "end", is_end=True)
        ends = midnight(last + timedelta(days=1), zone) if last else self.at
        if ends > self.at:
            ends = self.at
            warnings.append("End date was adjusted to today. See range_end for the one used.")
        first = _day(self.asked("start"), "start", is_end=False)
        if first:
            begins = midnight(first, zone)
        else:
            began = [midnight(part.start_on, zone) for part in parts if part.start_on]
            begins = max([ends - _USUAL, *([min(began)] if began else [])])
        if begins >= ends:
            raise Unfit("start is not before end. Give an earlier start.")
        if ends - begins > _LONGEST:
            raise Unfit("This is longer than six months. Give a later start or an earlier end.")
        return begins, ends, warnings


class ComponentUptime(UptimeView):
    def get(self, _request: Request, component: str, **_ids: str) -> Response:
        part = self.component(component, is_group=False)
        answer = self.said(part, [part])
        return Response(answer | {"related_events": self.touching_of(part)})


class GroupUptime(UptimeView):
    def get(self, _request: Request, group: str, **_ids: str) -> Response:
        row = self.component(group, is_group=True)
        parts = [part for part in self.facts.components if part.group_id == row.pk]
        events = [
            {"component_id": part.public_id, "incidents": found}
            for part in parts
            if (found := self.touching_of(part))
        ]
        return Response(self.said(row, parts) | {"related_events": events})


def _day(said: str, name: str, *, is_end: bool) -> date | None:
    """Return a day of which a part may be left out: the first or the last of the month or year."""
    if not said:
        return None
    found = _PARTIAL.match(said)
    try:
        if found is None:
            raise ValueError(said)
        year, month, day = (int(part) if part else None for part in found.groups())
        assert year is not None
        if day:
            return date(year, month or 1, day)
        if not is_end:
            return date(year, month or 1, 1)
        following = date(year + 1, 1, 1) if month in (None, 12) else date(year, month + 1, 1)
        return following - timedelta(days=1)
    except (ValueError, OverflowError) as fault:
        raise Unfit(f"{name} must be a date such as 2026-01-09, 2026-01 or 2026.") from fault


def _seconds(spent: timedelta) -> int:
    return spent // timedelta(seconds=1)
