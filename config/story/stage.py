"""Where the story plays: the page, its components, and the past incident."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from backups import operations as backup_operations
from backups import queries as backup_queries
from backups.models import Database
from config.story.cluster import TENANTS
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
# The customer whose private link the story shows.
CUSTOMER = next(iter(TENANTS.values()))
# What customers read the cluster's backups called.
BACKUPS = "Virtual tours"
# What the lost cluster takes with it.
STRUCK = {
    "Viewing tours": ComponentStatus.MAJOR_OUTAGE,
    "Editing tours": ComponentStatus.MAJOR_OUTAGE,
    "Publishing tours": ComponentStatus.PARTIAL_OUTAGE,
}


def set_stage(*, at: datetime, author: User | None, say: Callable[[str], None]) -> None:
    """Put components on the page and the founding report in the history, unless they are there."""
    page = Page.objects.first_page(at=at)
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


def forget_last_plays_customers(*, bucket: str) -> None:
    """Forget the customers of clusters that earlier plays have lost for good."""
    for database in _databases_in(bucket):
        for tenant, _known in backup_operations.give_codes(
            database_id=database.pk, at=timezone.now()
        ):
            backup_operations.unregister_tenant(tenant_id=tenant.pk)


def show_backups(database: Database, *, at: datetime) -> None:
    """Let customers read of this play's backups, and no more of those of earlier plays.

    Done once they are proven: until then the proof of the last play stands.
    """
    with transaction.atomic():
        for other in _databases_in(database.storage.bucket):
            if other.public_name and other.pk != database.pk:
                _name_backups(other, "", at=at)
        _name_backups(database, BACKUPS, at=at)


def _databases_in(bucket: str) -> list[Database]:
    return [each for each in backup_queries.databases() if each.storage.bucket == bucket]


def _name_backups(database: Database, name: str, *, at: datetime) -> None:
    backup_operations.set_proof_terms(
        database_id=database.pk,
        public_name=name,
        backup_stale_after=None,
        proof_stale_after=None,
        at=at,
    )


def private_link(database: Database) -> str:
    """Return where the first customer of the cluster sees its own data."""
    at = timezone.now()
    codes = {
        known.name: known.lookup_code
        for _tenant, known in backup_operations.give_codes(database_id=database.pk, at=at)
    }
    code = codes[CUSTOMER]
    return f"{Page.objects.first_page(at=at).url}/my/{code}"


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
