"""The feed: one entry an incident, under a name that never changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from incidents.models import Incident, StatusUpdate
from incidents.values import Phase
from statuspage.documents.bodies import as_plain
from statuspage.documents.facts import Facts, last_told, told
from statuspage.documents.moments import zone_name

_ENTRIES = 25


def feed(facts: Facts) -> bytes:
    """Return the incidents with the newest updates as an Atom feed."""
    url, host = facts.page.url, urlsplit(facts.page.url).netloc
    entries = "".join(_entry(facts, incident, host) for incident in facts.listed[:_ENTRIES])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom">\n'
        f"  <id>tag:{escape(host)},2005:/history</id>\n"
        f'  <link rel="alternate" type="text/html" href={quoteattr(url)}/>\n'
        '  <link rel="self" type="application/atom+xml" '
        f"href={quoteattr(url + '/history.atom')}/>\n"
        f"  <title>{escape(facts.page.name)} Status - Incident History</title>\n"
        f"  <updated>{_time(facts.updated_at)}</updated>\n"
        f"  <author>\n    <name>{escape(facts.page.name)}</name>\n  </author>\n"
        f"{entries}</feed>\n"
    ).encode()


def _entry(facts: Facts, incident: Incident, host: str) -> str:
    newest, _pk = last_told(incident)
    link = f"{facts.page.url}/incidents/{incident.public_id}"
    content = " ".join(_updates(facts, incident))
    return (
        "  <entry>\n"
        f"    <id>tag:{escape(host)},2005:Incident/{incident.pk}</id>\n"
        f"    <published>{_time(newest)}</published>\n"
        f"    <updated>{_time(max(newest, incident.updated_at))}</updated>\n"
        f'    <link rel="alternate" type="text/html" href={quoteattr(link)}/>\n'
        f"    <title>{escape(incident.title)}</title>\n"
        f'    <content type="html">{escape(content)}</content>\n'
        "  </entry>\n"
    )


def _updates(facts: Facts, incident: Incident) -> Iterator[str]:
    updates = told(incident)
    earlier = [*updates[1:], None]
    for update, before in zip(updates, earlier, strict=True):
        yield _update(facts, update, repeated=before is not None and before.phase == update.phase)


def _update(facts: Facts, update: StatusUpdate, *, repeated: bool) -> str:
    at = (update.published_at or update.created_at).astimezone(facts.zone)
    label = "Update" if repeated else str(Phase(update.phase).label)
    return (
        f"<p> <small>{at:%b} <var data-var='date'>{at.day}</var>, "
        f"<var data-var='time'>{at:%H:%M}</var> {zone_name(at, facts.zone)}</small><br> "
        f"<strong>{label}</strong> - {as_plain(update.body)} </p>"
    )


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
