"""Questions about the record, for the desk and for jobs."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import QuerySet

from incidents.models import (
    ActionItem,
    Incident,
    Maintenance,
    MaintenanceTemplate,
    Postmortem,
    ProgressReport,
    Promise,
    Revision,
    StatusUpdate,
    TimelineEntry,
)
from incidents.models.maintenance import MaintenanceQuerySet
from incidents.signals import zone_wanted
from incidents.values import ActionState, ProgressState, PromiseKind, UpdateState

_UTC = frozenset({"UTC", "Etc/UTC"})


def open_incidents() -> QuerySet[Incident]:
    """Return the incidents that are not over, public or not, newest first."""
    return Incident.objects.open().newest_first()


def incident(incident_id: int) -> Incident:
    """Return the incident. Raises Incident.DoesNotExist if there is none."""
    return Incident.objects.get(pk=incident_id)


def has_incident(incident_id: int) -> bool:
    """Whether there is an incident of this number."""
    return Incident.objects.filter(pk=incident_id).exists()


def open_with_key(dedup_key: str) -> list[Incident]:
    """Return the open incidents with this key: one or none."""
    return list(Incident.objects.open().filter(dedup_key=dedup_key))


def unfinished_reports(keys: Collection[str]) -> dict[str, ProgressState]:
    """Return those of these jobs whose report does not say that they are over, and what it says."""
    rows = ProgressReport.objects.unfinished().filter(key__in=keys).values_list("key", "state")
    return {key: ProgressState(state) for key, state in rows}


def is_imported(source_name: str) -> bool:
    """Whether a postmortem of this name has been imported."""
    return Postmortem.objects.filter(source_name=source_name).exists()


def timeline(incident_id: int) -> list[TimelineEntry]:
    """Return the live entries in the order in which they happened.

    An entry without a time stands behind the dated one that precedes it by position, never at
    the top or the bottom because its time is not known.
    """
    entries = list(
        TimelineEntry.objects.live()
        .filter(incident_id=incident_id)
        .select_related("created_by", "update")
        .prefetch_related("evidence")
        .order_by("position", "pk")
    )
    anchors: dict[int, datetime] = {}
    latest: datetime | None = None
    # By position, each entry without a time takes that of the entry before it; those before
    # every dated entry take the time of the first one.
    first = next((entry.at for entry in entries if entry.at is not None), None)
    for entry in entries:
        latest = entry.at or latest or (first and first - timedelta(microseconds=1))
        if latest is not None:
            anchors[entry.pk] = latest
    return sorted(
        entries,
        key=lambda entry: (
            anchors.get(entry.pk, entry.recorded_at),
            entry.at is None,
            entry.until or anchors.get(entry.pk, entry.recorded_at),
            entry.position,
            entry.pk,
        ),
    )


def deleted_entries(incident_id: int) -> QuerySet[TimelineEntry]:
    """Return what was taken off the timeline and can be brought back, newest first."""
    return TimelineEntry.objects.filter(incident_id=incident_id, deleted_at__isnull=False).order_by(
        "-deleted_at", "-pk"
    )


def revisions(row: models.Model) -> QuerySet[Revision]:
    """Return what a row said before, newest first."""
    return Revision.objects.filter(
        content_type=ContentType.objects.get_for_model(row), object_id=row.pk
    ).order_by("-number")


def drafts(incident_id: int) -> QuerySet[StatusUpdate]:
    """Return the updates that wait for approval, oldest first."""
    return StatusUpdate.objects.filter(incident_id=incident_id, state=UpdateState.DRAFT).order_by(
        "created_at", "pk"
    )


def open_actions() -> QuerySet[ActionItem]:
    """Return action items that are not finished, across incidents, the soonest due first."""
    return ActionItem.objects.unfinished().soonest_first().select_related("incident", "owner")


def actions_by_state(states: Sequence[ActionState]) -> QuerySet[ActionItem]:
    """Return action items in these states, across incidents, the soonest due first."""
    return (
        ActionItem.objects.filter(state__in=states)
        .soonest_first()
        .select_related("incident", "owner")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How long an incident took to be noticed, told, mitigated and ended. None: not known."""

    detect: timedelta | None
    first_update: timedelta | None
    mitigate: timedelta | None
    recover: timedelta | None
    resolve: timedelta | None
    longest_silence: timedelta | None


def figures(incident: Incident, *, at: datetime) -> Figures:
    """Return the figures of an incident, counted from its start.

    While it is open, the silence since the last update counts, too.
    """

    def since_start(at: datetime | None) -> timedelta | None:
        return at - incident.started_at if at and incident.started_at else None

    told = list(
        StatusUpdate.objects.published()
        .filter(incident=incident)
        .order_by("published_at")
        .values_list("published_at", flat=True)
    )
    if told and not incident.is_resolved:
        told.append(at)
    gaps = [
        later - earlier
        for earlier, later in itertools.pairwise(told)
        if earlier is not None and later is not None
    ]
    return Figures(
        detect=since_start(incident.detected_at),
        first_update=since_start(incident.first_update_at),
        mitigate=since_start(incident.mitigated_at),
        recover=since_start(incident.recovered_at),
        resolve=since_start(incident.resolved_at),
        longest_silence=max(gaps, default=None),
    )


def open_promise(incident_id: int, kind: PromiseKind) -> Promise | None:
    """Return the promise of this kind that stands now."""
    return Promise.objects.open().filter(incident_id=incident_id, kind=kind).first()


def maintenances() -> MaintenanceQuerySet:
    """Return every maintenance, public or not."""
    return Maintenance.objects.prefetch_related("components")


def usual_zone() -> str:
    """Return the zone with which forms begin: that of the first page.

    Where that is UTC, which a page has until it is told otherwise, the one in which work was
    planned last; UTC if none ever was.
    """
    answers = (zone for _receiver, zone in zone_wanted.send(sender=None))
    if told := next((zone for zone in answers if zone and zone not in _UTC), None):
        return str(told)
    newest = Maintenance.objects.order_by("-pk").values_list("tz", flat=True).first()
    return newest or "UTC"


def maintenances_beside(
    begins: datetime, ends: datetime, *, except_for: int | None = None
) -> QuerySet[Maintenance]:
    """Return those that are not over and that share time with this stretch, the soonest first."""
    found = Maintenance.objects.unfinished().filter(
        scheduled_for__lt=ends, scheduled_until__gt=begins
    )
    return found.exclude(pk__in=[] if except_for is None else [except_for]).soonest_first()


def maintenance_templates() -> QuerySet[MaintenanceTemplate]:
    """Return the templates of maintenances, by name."""
    return MaintenanceTemplate.objects.prefetch_related("components").order_by("name", "pk")
