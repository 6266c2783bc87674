"""Questions about the record; nothing here changes anything."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Prefetch, QuerySet

from incidents.models import (
    ActionItem,
    Component,
    ComponentChange,
    Incident,
    Postmortem,
    ProgressReport,
    Promise,
    Revision,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import ActionState, Phase, ProgressState, PromiseKind, UpdateState

# How many incidents the public lists carry, as every status page does.
LISTED = 50


def components() -> QuerySet[Component]:
    """Return every component and group, in the order of the page."""
    return Component.objects.in_order().select_related("group")


def open_incidents() -> QuerySet[Incident]:
    """Return the incidents that are not over, public or not, newest first."""
    return Incident.objects.open().newest_first()


def public_incidents() -> QuerySet[Any]:
    """Return what customers may know of, with all that the page shows of each prefetched.

    The rows are incidents with attributes more, which is why they are typed loosely.
    ``told``: published updates, newest first, each with ``changes``. ``reports``: the jobs'
    progress. ``given``: promises, newest first. Three levels, a fixed number of queries.
    """
    changes = ComponentChange.objects.select_related("component__group").order_by("pk")
    told = (
        StatusUpdate.objects.published()
        .newest_first()
        .prefetch_related(Prefetch("component_changes", changes, to_attr="changes"))
    )
    return Incident.objects.public().prefetch_related(
        Prefetch("updates", told, to_attr="told"),
        Prefetch(
            "progress_reports", ProgressReport.objects.order_by("-started_at"), to_attr="reports"
        ),
        Prefetch("promises", Promise.objects.newest_first(), to_attr="given"),
        Prefetch("components", components(), to_attr="affected"),
    )


def public_unresolved() -> QuerySet[Any]:
    """Return the open ones of the public incidents, by newest activity."""
    return public_incidents().exclude(phase=Phase.RESOLVED).order_by("-updated_at", "-id")


def public_recent(limit: int = LISTED) -> QuerySet[Any]:
    """Return the public incidents with the newest updates."""
    return public_incidents().order_by("-updated_at", "-id")[:limit]


def public_incident_ids(since: datetime, until: datetime) -> list[int]:
    """Return the ids of public incidents that began in this stretch of time."""
    return list(
        Incident.objects.public()
        .filter(started_at__gte=since, started_at__lt=until)
        .newest_first()
        .values_list("pk", flat=True)
    )


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


def figures(incident: Incident) -> Figures:
    """Return the figures of an incident, counted from its start."""

    def since_start(at: datetime | None) -> timedelta | None:
        return at - incident.started_at if at and incident.started_at else None

    told = list(
        StatusUpdate.objects.published()
        .filter(incident=incident)
        .order_by("published_at")
        .values_list("published_at", flat=True)
    )
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
