"""Questions about the record, for the desk and for jobs."""

from collections.abc import Collection
from datetime import datetime

from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.aggregates import StringAgg
from django.db import models
from django.db.models import QuerySet
from django.db.models.functions import MD5, Cast, Concat

from accounts.models import User
from incidents.models import (
    Evidence,
    Incident,
    Maintenance,
    MaintenanceTemplate,
    Postmortem,
    ProgressReport,
    Revision,
    TimelineEntry,
)
from incidents.models.maintenance import MaintenanceQuerySet
from incidents.models.timeline import in_order
from incidents.signals import zone_wanted
from incidents.values import ProgressState

_UTC = frozenset({"UTC", "Etc/UTC"})


def open_incidents(reader: User) -> QuerySet[Incident]:
    """Return the incidents that are not over and of which somebody may know, newest first."""
    return Incident.objects.seen_by(reader).open().newest_first()


def incidents_seen_by(user: User) -> QuerySet[Incident]:
    """Return the incidents that somebody at the desk may know of."""
    return Incident.objects.seen_by(user)


def hidden_incident_ids(user: User) -> set[int]:
    """Return the ids of those that they may not know of: the private ones of others, a few."""
    return set(Incident.objects.hidden_from(user).values_list("pk", flat=True))


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
    """Return the live entries in the order in which they happened, with their live evidence.

    An entry without a time stands behind the dated one that precedes it by position, never at
    the top or the bottom because its time is not known.
    """
    return in_order(
        TimelineEntry.objects.live()
        .filter(incident_id=incident_id)
        .select_related("update")
        # A few people write many entries: each of them is read once.
        .prefetch_related(
            "created_by",
            models.Prefetch("evidence", queryset=Evidence.objects.live().order_by("pk")),
        )
    )


def marked(incident_id: int, milestone: str) -> TimelineEntry | None:
    """Return the entry that marks a milestone, if there is one."""
    if not milestone:
        return None
    live = TimelineEntry.objects.live().filter(incident_id=incident_id, milestone=milestone)
    return live.first()


def timeline_stamp(incidents: QuerySet[Incident], incident_id: int) -> str | None:
    """Return a word that changes whenever the timeline of an incident does, in one query.

    None if the incident is not among those given.
    """
    # Versions only ever rise, and so does their sum: a new entry adds one, an edit, a deletion and
    # bringing back add one. A database that was set back to an earlier day counts the same sums
    # again, but never with the moments at which something was written then.
    facts = [models.Sum("version"), *map(models.Max, ("recorded_at", "edited_at", "deleted_at"))]
    versions = (
        TimelineEntry.objects.filter(incident=models.OuterRef("pk"))
        .order_by()
        .values("incident")
        .annotate(word=MD5(Concat(*(Cast(fact, models.TextField()) for fact in facts))))
        .values("word")
    )
    evidence = (
        Evidence.objects.live()
        .filter(entry__incident=models.OuterRef("pk"))
        .order_by()
        .values("entry__incident")
        .annotate(
            word=MD5(
                Concat(
                    StringAgg(Cast("pk", models.TextField()), ",", order_by="pk"),
                    Cast(models.Max("created_at"), models.TextField()),
                )
            )
        )
        .values("word")
    )
    found = (
        incidents.filter(pk=incident_id)
        .annotate(versions=models.Subquery(versions), evidence=models.Subquery(evidence))
        .values_list("versions", "evidence")
        .first()
    )
    return found and "-".join(str(figure or 0) for figure in found)


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
