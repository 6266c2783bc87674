"""Reading what a revision is made of: few queries, as many for one incident as for fifty."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from incidents import queries
from incidents.models import Incident, Maintenance, MaintenanceUpdate, Revision, StatusUpdate
from incidents.values import UpdateState, local, zone
from statuspage.documents.bodies import words_in
from statuspage.documents.facts import (
    LISTED,
    Facts,
    Limits,
    Notice,
    began,
    group_statuses,
    said,
    told,
)
from statuspage.documents.pages import Earlier, Month
from statuspage.documents.scope import Scope
from statuspage.documents.uptime import midnight
from statuspage.models import Page
from statuspage.publisher.assets import assets
from statuspage.publisher.histories import histories
from statuspage.publisher.scope import scope_of
from statuspage.publisher.site import Site

# More than are listed: those last edited are not quite those last told of.
_READ = LISTED + 10
_QUIET_WHILE_OPEN = timedelta(minutes=3)
_QUIET = timedelta(minutes=15)
# Of the calendar: no date is later.
_LAST_MONTH = "9999-12"


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything inside as of one moment, so that a revision contradicts itself nowhere."""
    if connection.in_atomic_block:
        # The caller's own transaction decides what is seen.
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def gather(
    page: Page,
    *,
    at: datetime,
    revision: int,
    notice: Notice | None,
    also: Iterable[int] = (),
    is_so: bool = True,
) -> Facts:
    """Return the facts of now: open incidents, the newest ones, and those named by ``also``.

    Those that are over come with what lists show of them; `queries.complete` adds the rest.
    They are so, or only imagined, in a transaction that will be rolled back.
    """
    with snapshot():
        scope = scope_of(page)
        touching = scope.touching
        known = histories(scope.components, at=at, zone=zone(page.time_zone), is_so=is_so)
        wanted = {
            *also,
            *_ids(queries.public_unresolved(touching=touching)),
            *_ids(queries.public_recent(_READ, touching=touching)),
        }
        found = queries.public_listed(touching=touching).filter(pk__in=wanted)
        incidents = scope.narrow(found)
        queries.complete([incident for incident in incidents if not incident.is_resolved])
        looks = queries.looks(wanted)
        # A proof names no component: like an incident without one, it is on full pages only.
        shows_proofs = page.has_backup_proof and page.shows_everything
        proofs = queries.proofs() if shows_proofs else []
        planned = queries.public_maintenance_ids(touching=touching, limit=_READ)
        maintenances = scope.narrow(
            queries.public_maintenances(touching=touching).filter(pk__in=planned)
        )
    is_open = any(not incident.is_resolved for incident in incidents) or any(
        maintenance.is_running for maintenance in maintenances
    )
    return Facts(
        page=page,
        scope=scope,
        statuses=group_statuses(scope.components),
        histories=known,
        incidents=incidents,
        looks=looks,
        maintenances=maintenances,
        at=at,
        revision=revision,
        assets={role: asset.path for role, asset in assets(page).items()},
        notice=notice,
        proofs=proofs,
        limits=Limits(
            stale_after=timedelta(seconds=settings.STALE_AFTER_SECONDS),
            quiet_after=_QUIET_WHILE_OPEN if is_open else _QUIET,
        ),
    )


def frame_of(page: Page, site: Site, *, at: datetime) -> Facts:
    """Return the facts of what has no incident and no component: the frame of every page alone."""
    return Facts(
        page=page,
        scope=Scope(components=[], touching=frozenset()),
        incidents=[],
        at=at,
        revision=max(site.next_revision() - 1, 0),
        assets={role: asset.path for role, asset in assets(page).items()},
        limits=Limits(stale_after=timedelta(seconds=settings.STALE_AFTER_SECONDS)),
    )


def every_public_incident(scope: Scope, chunk: int) -> Iterator[list[Incident]]:
    """Return all that a page ever shows, with all that their pages show, some at a time."""
    last = 0
    while True:
        rows = queries.public_incidents(touching=scope.touching)
        part = scope.narrow(rows.filter(pk__gt=last).order_by("pk")[:chunk])
        if not part:
            return
        yield part
        last = part[-1].pk


def said_before(incidents: Sequence[Incident]) -> Earlier:
    """Return what edited updates said before, by update."""
    edited = [update.pk for incident in incidents for update in told(incident) if update.edited_at]
    found: dict[int, list[tuple[str, datetime]]] = {}
    if not edited:
        return found
    kind = ContentType.objects.get_for_model(StatusUpdate)
    revisions = Revision.objects.filter(content_type=kind, object_id__in=edited).order_by("-number")
    for revision in revisions:
        # What was changed while it was a draft, nobody outside has seen.
        if revision.data.get("state") == UpdateState.PUBLISHED:
            translations = revision.data.get("translations") or {}
            body = words_in(translations, str(revision.data["body"]))
            found.setdefault(revision.object_id, []).append((body, revision.replaced_at))
    return found


def said_before_of(maintenances: Sequence[Maintenance]) -> Earlier:
    """Return what edited updates of maintenances said before, by update."""
    edited = [update.pk for row in maintenances for update in said(row) if update.edited_at]
    found: dict[int, list[tuple[str, datetime]]] = {}
    if not edited:
        return found
    kind = ContentType.objects.get_for_model(MaintenanceUpdate)
    revisions = Revision.objects.filter(content_type=kind, object_id__in=edited).order_by("-number")
    for revision in revisions:
        body = words_in(revision.data.get("translations") or {}, str(revision.data["body"]))
        found.setdefault(revision.object_id, []).append((body, revision.replaced_at))
    return found


def month_of(at: datetime, zone: tzinfo) -> str:
    """Return the month of a moment: "2026-01", four figures for the year of any."""
    return local(at, zone).date().isoformat()[: len("2026-01")]


def month(name: str, scope: Scope, zone: tzinfo) -> tuple[Month, list[Incident], list[Maintenance]]:
    """Return a month of the history with its neighbours, its incidents and its maintenances.

    The newest first. Each incident comes with its newest update only, as ``told``.
    """
    start, end = _bounds(name, zone)
    incidents = sorted(
        _bare(scope).filter(_began_between(start, end)),
        key=lambda incident: (began(incident), incident.pk),
        reverse=True,
    )
    newest = {
        update.incident_id: update
        for update in StatusUpdate.objects.told()
        .filter(incident__in=incidents)
        .order_by("incident_id", "-published_at", "-pk")
        .distinct("incident_id")
    }
    for incident in incidents:
        update = newest.get(incident.pk)
        incident.told = [update] if update else []  # type: ignore[attr-defined]
    past = queries.public_past_maintenances(touching=scope.touching)
    maintenances = scope.narrow(past.filter(dated__gte=start, dated__lt=end))
    return _with_neighbours(name, scope, zone), incidents, maintenances


def _with_neighbours(name: str, scope: Scope, zone: tzinfo) -> Month:
    start, end = _bounds(name, zone)
    incidents = _bare(scope)
    past = queries.public_past_maintenances(touching=scope.touching).prefetch_related(None)
    earlier = [
        *incidents.filter(started_at__lt=start).order_by("-started_at")[:1],
        *past.filter(dated__lt=start)[:1],
    ]
    later = [
        *incidents.filter(started_at__gte=end).order_by("started_at")[:1],
        *past.filter(dated__gte=end).order_by("dated")[:1],
    ]
    return Month(
        first=date.fromisoformat(f"{name}-01"),
        earlier=max((month_of(placed_at(row), zone) for row in earlier), default=""),
        later=min((month_of(placed_at(row), zone) for row in later), default=""),
    )


def placed_at(row: Incident | Maintenance) -> datetime:
    """Return the moment that decides in which month something stands."""
    return row.dated_at if isinstance(row, Maintenance) else began(row)


def every_month(scope: Scope, zone: tzinfo) -> set[str]:
    """Return the months of public incidents, and of public maintenances that are over."""
    past = queries.public_past_maintenances(touching=scope.touching).prefetch_related(None)
    return {month_of(placed_at(row), zone) for row in (*_bare(scope).iterator(), *past.iterator())}


def _bare(scope: Scope) -> QuerySet[Incident]:
    return queries.public_bare(touching=scope.touching)


def _began_between(start: datetime, end: datetime) -> Q:
    # The start has an index; few incidents have none, and those date from their record.
    return Q(started_at__gte=start, started_at__lt=end) | Q(
        started_at__isnull=True, created_at__gte=start, created_at__lt=end
    )


def _bounds(name: str, zone: tzinfo) -> tuple[datetime, datetime]:
    first = date.fromisoformat(f"{name}-01")
    if name == _LAST_MONTH:
        return midnight(first, zone), datetime.max.replace(tzinfo=UTC)
    return midnight(first, zone), midnight((first + timedelta(days=32)).replace(day=1), zone)


def _ids(incidents: QuerySet[Incident]) -> list[int]:
    return list(incidents.values_list("pk", flat=True))
