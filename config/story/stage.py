"""Where the story plays: the page, its components, and the past incident."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from accounts.models import User
from incidents import operations, queries
from incidents.importer import read_postmortem
from incidents.models import Component
from incidents.values import ComponentStatus, Phase, Visibility
from statuspage.models import Page
from statuspage.operations import set_up_page

REPORT = Path(__file__).parent / "database-restore.md"
COMPONENTS = {
    "Virtual tours": ["Viewing tours", "Editing tours", "Publishing tours"],
    "Account": ["Signing in", "Billing"],
}
# Where the story plays: its page and its records tell the time of this zone.
ZONE = "Europe/Amsterdam"
# What the lost cluster takes with it.
STRUCK = {
    "Viewing tours": ComponentStatus.MAJOR_OUTAGE,
    "Editing tours": ComponentStatus.MAJOR_OUTAGE,
    "Publishing tours": ComponentStatus.PARTIAL_OUTAGE,
}


def set_stage(*, at: datetime, author: User | None, say: Callable[[str], None]) -> None:
    """Put components on the page and the founding report in the history, unless they are there."""
    page = Page.objects.the_one(at=at)
    if page.time_zone != ZONE:
        set_up_page(name="Virtual tours", url=page.url, time_zone=ZONE, at=at)
    known = {component.name for component in queries.components()}
    for group_name, names in COMPONENTS.items():
        if group_name in known:
            continue
        group = operations.add_component(name=group_name, is_group=True, at=at)
        for name in names:
            operations.add_component(name=name, group_id=group.pk, at=at)
    if not queries.is_imported(REPORT.name):
        say("Importing the incident of January 2026 from its written postmortem")
        text = REPORT.read_text(encoding="utf-8")
        operations.import_reading(
            reading=read_postmortem(text),
            text=text,
            title="Virtual tours unavailable: restoring a database",
            source_name=REPORT.name,
            at=at,
            author=author,
            visibility=Visibility.PUBLIC,
        )


def end_last_play(*, dedup_key: str, at: datetime, author: User | None) -> None:
    """Resolve what an earlier play has left open."""
    for incident in queries.open_with_key(dedup_key):
        operations.resolve_incident(
            incident_id=incident.pk,
            body="The service has been stable since. This incident is resolved.",
            at=at,
            author=author,
        )


def struck_components() -> dict[int, ComponentStatus]:
    """Return what suffers, by id."""
    struck: dict[int, ComponentStatus] = {}
    component: Component
    for component in queries.components():
        if component.name in STRUCK:
            struck[component.pk] = STRUCK[component.name]
    return struck


def phase_of(incident_id: int) -> Phase:
    """Return how far the incident is now."""
    return Phase(queries.incident(incident_id).phase)
