"""Planned work as a calendar that people subscribe to."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, vText, vUri

from incidents.models import Maintenance
from incidents.values import MaintenanceState
from statuspage.documents.bodies import as_text, words_of
from statuspage.documents.facts import Facts, said

# Where it lies.
CALENDAR = "/maintenance.ics"
# What is over stays this long, so that a calendar learns how it went.
KEPT_FOR = timedelta(days=90)

_PRODUCT = "-//Highwater//Maintenance//EN"
_RENEW_EVERY = timedelta(hours=1)
_CANCELLED = MaintenanceState.CANCELLED
# What no line of a calendar may hold, whoever wrote it.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def calendar(facts: Facts, maintenances: Iterable[Maintenance]) -> bytes:
    """Return what is to come, what runs and what was over within ninety days, as iCalendar.

    ``maintenances`` are those of `incidents.queries.public_calendar`. An entry's UID is the
    maintenance's own, whatever the page is called and wherever it lies; its SEQUENCE grows when
    its time or title changes and when it is called off. The same maintenances give the same
    bytes.
    """
    found = Calendar()
    found.add("prodid", _PRODUCT)
    found.add("version", "2.0")
    found.add("calscale", "GREGORIAN")
    found.add("method", "PUBLISH")
    found.add("name", facts.page.name)
    found.add("x-wr-calname", facts.page.name)
    found.add("refresh-interval", _RENEW_EVERY, parameters={"value": "DURATION"})
    for maintenance in maintenances:
        found.add_component(_event(facts, maintenance))
    return bytes(found.to_ical())


def _event(facts: Facts, maintenance: Maintenance) -> Event:
    event = Event()
    event.add("uid", f"maintenance-{maintenance.public_id}@highwater")
    event.add("sequence", maintenance.sequence)
    # Of a published calendar it is when the entry was last changed, not when it was read.
    event.add("dtstamp", _whole(maintenance.updated_at))
    event.add("last-modified", _whole(maintenance.updated_at))
    event.add("created", _whole(maintenance.created_at))
    event.add("dtstart", _whole(maintenance.scheduled_for))
    event.add("dtend", _whole(maintenance.scheduled_until))
    event.add("summary", vText(_plain(maintenance.title)))
    event.add("status", "CANCELLED" if maintenance.state == _CANCELLED else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    event.add("description", vText(_plain(_description(maintenance))))
    event.add("url", vUri(f"{facts.page.url}/maintenances/{maintenance.public_id}"))
    return event


def _description(maintenance: Maintenance) -> str:
    """Return what was said, newest first, as plain text."""
    return "\n\n".join(as_text(words_of(update)) for update in said(maintenance))


def _plain(text: str) -> str:
    return _CONTROL.sub("", text)


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
