"""The feed: one entry an incident or a maintenance, under a name that never changes."""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlsplit
from xml.sax.saxutils import escape as _escaped
from xml.sax.saxutils import quoteattr

from django.utils.dates import MONTHS_3
from django.utils.html import strip_tags
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from incidents.models import Incident, Maintenance
from incidents.values import MaintenanceState, Phase, local
from statuspage.documents.bodies import as_plain, unmarked, words_of
from statuspage.documents.facts import Facts, last_said, last_told, said, told
from statuspage.documents.maintenance import window
from statuspage.documents.moments import zone_name

_ENTRIES = 25
# As readers know it from the feeds of others.
_LANGUAGES = {"en": "en-US"}
# What XML cannot carry, in whatever guise: a feed with one of these is no feed.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed(facts: Facts) -> bytes:
    """Return the incidents with the newest updates as an Atom feed."""
    language = facts.page.language
    title = _("%(name)s Status - Incident History") % {"name": facts.page.name}
    url, host = facts.page.url, urlsplit(facts.page.url).netloc
    entries = "".join(_newest_entries(facts, host))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<feed xml:lang={quoteattr(_LANGUAGES.get(language, language))} "
        'xmlns="http://www.w3.org/2005/Atom">\n'
        f"  <id>tag:{escape(host)},2005:/history</id>\n"
        f'  <link rel="alternate" type="text/html" href={quoteattr(url)}/>\n'
        '  <link rel="self" type="application/atom+xml" '
        f"href={quoteattr(url + '/history.atom')}/>\n"
        f"  <title>{escape(title)}</title>\n"
        f"  <updated>{_time(facts.updated_at)}</updated>\n"
        f"  <author>\n    <name>{escape(facts.page.name)}</name>\n  </author>\n"
        f"{entries}</feed>\n"
    ).encode()


def _newest_entries(facts: Facts, host: str) -> list[str]:
    """Return the entries of incidents and maintenances, by the time of their newest update."""
    rows = [
        *((last_told(row)[0], _incident(facts, row, host)) for row in facts.listed[:_ENTRIES]),
        *(
            (last_said(row)[0], _maintenance(facts, row, host))
            for row in facts.listed_maintenances[:_ENTRIES]
        ),
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    return [entry for _newest, entry in rows[:_ENTRIES]]


def _incident(facts: Facts, incident: Incident, host: str) -> str:
    newest, _pk = last_told(incident)
    return _entry(
        # Never minted anew: readers know an entry by it.
        name=f"tag:{host},2005:Incident/{incident.pk}",
        newest=newest,
        updated_at=incident.updated_at,
        link=f"{facts.page.url}/incidents/{incident.public_id}",
        title=incident.title,
        content=" ".join(_updates(facts, incident)),
    )


def _maintenance(facts: Facts, maintenance: Maintenance, host: str) -> str:
    newest, _pk = last_said(maintenance)
    stretch = strip_tags(window(maintenance.scheduled_for, maintenance.scheduled_until, facts.zone))
    planned = f"<p><strong>{_('Planned time')}: {stretch}</strong></p>"
    updates = [planned, *_maintenance_updates(facts, maintenance)]
    return _entry(
        name=f"tag:{host},2005:Maintenance/{maintenance.pk}",
        newest=newest,
        updated_at=maintenance.updated_at,
        link=f"{facts.page.url}/maintenances/{maintenance.public_id}",
        title=maintenance.title,
        content=" ".join(updates),
    )


def _maintenance_updates(facts: Facts, maintenance: Maintenance) -> Iterator[str]:
    updates = said(maintenance)
    earlier = [*(update.state for update in updates[1:]), ""]
    for update, before in zip(updates, earlier, strict=False):
        state = None if update.state == before else MaintenanceState(update.state)
        yield _told(facts, update.published_at, state, words_of(update))


def _entry(
    *, name: str, newest: datetime, updated_at: datetime, link: str, title: str, content: str
) -> str:
    return (
        "  <entry>\n"
        f"    <id>{escape(name)}</id>\n"
        f"    <published>{_time(newest)}</published>\n"
        f"    <updated>{_time(max(newest, updated_at))}</updated>\n"
        f'    <link rel="alternate" type="text/html" href={quoteattr(link)}/>\n'
        f"    <title>{escape(title)}</title>\n"
        f'    <content type="html">{escape(content)}</content>\n'
        "  </entry>\n"
    )


def _updates(facts: Facts, incident: Incident) -> Iterator[str]:
    updates = told(incident)
    earlier = [*(update.phase for update in updates[1:]), ""]
    for update, before in zip(updates, earlier, strict=False):
        phase = None if update.phase == before else Phase(update.phase)
        at = update.published_at or update.created_at
        yield _told(facts, at, phase, words_of(update))


def _told(facts: Facts, at: datetime, state: Phase | MaintenanceState | None, body: str) -> str:
    return _paragraph(at, facts.zone, get_language(), state, body)


# By all that it says, and not by whose it is: nothing has to be thrown away when that changes.
@functools.lru_cache(maxsize=2000, typed=True)
def _paragraph(
    moment: datetime,
    zone: tzinfo,
    _language: str | None,
    state: Phase | MaintenanceState | None,
    body: str,
) -> str:
    """Return one update, in the language that is active; without a state, it is the old one."""
    at = local(moment, zone)
    label = _("Update") if state is None else state.label
    return (
        f"<p> <small>{capfirst(MONTHS_3[at.month])} <var data-var='date'>{at.day}</var>, "
        f"<var data-var='time'>{at:%H:%M}</var> {zone_name(at, zone)}</small><br> "
        f"<strong>{label}</strong> - {as_plain(unmarked(body))} </p>"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def escape(text: str) -> str:
    """Return text for XML, without what XML cannot carry."""
    return _escaped(_NOT_XML.sub("", text))
