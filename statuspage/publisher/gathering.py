"""Reading what a revision is made of: few queries, as many for one incident as for fifty."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from incidents import queries
from incidents.models import Incident, Revision, StatusUpdate
from incidents.values import UpdateState
from statuspage.documents.facts import LISTED, Facts, Limits, Notice, began, group_statuses, told
from statuspage.documents.pages import Earlier, Month
from statuspage.models import Page
from statuspage.publisher.assets import assets

# More than are listed: those last edited are not quite those last told of.
_READ = LISTED + 10
_QUIET_WHILE_OPEN = timedelta(minutes=3)
_QUIET = timedelta(minutes=15)


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
    *, at: datetime, revision: int, notice: Notice | None, also: Iterable[int] = ()
) -> Facts:
    """Return the facts of now: open incidents, the newest ones, and those named by ``also``."""
    page = Page.objects.the_one(at=at)
    with snapshot():
        components = list(queries.components())
        wanted = {
            *also,
            *_ids(queries.public_unresolved()),
            *_ids(queries.public_recent(_READ)),
        }
        incidents = list(queries.public_incidents().filter(pk__in=wanted))
    is_open = any(not incident.is_resolved for incident in incidents)
    return Facts(
        page=page,
        components=components,
        statuses=group_statuses(components),
        incidents=incidents,
        at=at,
        revision=revision,
        assets={role: asset.path for role, asset in assets().items()},
        notice=notice,
        limits=Limits(
            stale_after=timedelta(seconds=settings.STALE_AFTER_SECONDS),
            quiet_after=_QUIET_WHILE_OPEN if is_open else _QUIET,
        ),
    )


def every_public_incident(chunk: int) -> Iterator[list[Incident]]:
    """Return all public incidents with all that their pages show, some at a time."""
    last = 0
    while True:
        part = list(queries.public_incidents().filter(pk__gt=last).order_by("pk")[:chunk])
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
            body = str(revision.data["body"])
            found.setdefault(revision.object_id, []).append((body, revision.replaced_at))
    return found


def month_of(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m}"


def month(name: str, zone: tzinfo) -> tuple[Month, list[Incident]]:
    """Return a month of the history with its neighbours, and its incidents, newest first.

    Each incident comes with its newest update only, as ``told``.
    """
    start, end = _bounds(name, zone)
    incidents = sorted(
        _bare().filter(_began_between(start, end)),
        key=lambda incident: (began(incident), incident.pk),
        reverse=True,
    )
    newest = {
        update.incident_id: update
        for update in StatusUpdate.objects.published()
        .filter(incident__in=incidents)
        .order_by("incident_id", "-published_at", "-pk")
        .distinct("incident_id")
    }
    for incident in incidents:
        update = newest.get(incident.pk)
        incident.told = [update] if update else []  # type: ignore[attr-defined]
    first = date.fromisoformat(f"{name}-01")
    earlier = _bare().filter(started_at__lt=start).order_by("-started_at").first()
    later = _bare().filter(started_at__gte=end).order_by("started_at").first()
    return Month(
        first=first,
        earlier=month_of(began(earlier), zone) if earlier else "",
        later=month_of(began(later), zone) if later else "",
    ), incidents


def every_month(zone: tzinfo) -> set[str]:
    """Return the months in which public incidents began."""
    return {month_of(began(incident), zone) for incident in _bare().iterator()}


def _bare() -> QuerySet[Incident]:
    """Return the public incidents without what belongs to them."""
    return queries.public_incidents().prefetch_related(None)


def _began_between(start: datetime, end: datetime) -> Q:
    # The start has an index; few incidents have none, and those date from their record.
    return Q(started_at__gte=start, started_at__lt=end) | Q(
        started_at__isnull=True, created_at__gte=start, created_at__lt=end
    )


def _bounds(name: str, zone: tzinfo) -> tuple[datetime, datetime]:
    first = datetime.fromisoformat(f"{name}-01T00:00:00").replace(tzinfo=zone)
    after = (first.replace(tzinfo=None) + timedelta(days=32)).replace(day=1, tzinfo=zone)
    return first.astimezone(UTC), after.astimezone(UTC)


def _ids(incidents: QuerySet[Incident]) -> list[int]:
    return list(incidents.prefetch_related(None).values_list("pk", flat=True))
