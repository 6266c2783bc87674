"""What has happened since customers heard last: what a draft of the next update is made from."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from incidents import spoken, wording
from incidents.drafting import Given, Happened, Job, Missing, Since
from incidents.models import Impact, Incident, ProgressReport, Promise, TimelineEntry
from incidents.values import (
    ComponentStatus,
    EntryKind,
    ImpactKind,
    Phase,
    ProgressPhase,
    ProgressState,
    PromiseKind,
    PromiseOutcome,
    zone,
)

# What is said of a job, by how it is.
_CODES = {
    ProgressState.WAITING: "restore_waiting",
    ProgressState.HELD: "restore_held",
    ProgressState.PAUSED: "restore_paused",
    ProgressState.FAILED: "restore_failed",
}
_TOLD_OTHERWISE = (EntryKind.UPDATE, EntryKind.PHASE, EntryKind.ROLE)
_OWN_NOTES = ("promise", "approval", "impact")


def since_last_update(incident: Incident, *, at: datetime, quiet_until: datetime | None) -> Since:
    """Return what is known of an incident and new to customers, in a fixed number of queries.

    ``quiet_until``: until when they hear nothing if the next update waits for the morning.
    """
    last = incident.updates.told().newest_first().first()
    told_at = last.published_at if last else None
    return Since(
        at=at,
        zone=zone(incident.tz),
        phase=Phase(incident.phase),
        told_at=told_at,
        happened=list(_happened(incident, told_at)),
        jobs=[_job(incident, report, at=at) for report in _reports(incident)],
        given=list(_given(incident, told_at)),
        components=[
            (component.name, ComponentStatus(component.status))
            for component in incident.components.in_order()
            if not component.is_group
        ],
        missing=list(_missing(incident)),
        is_late=_is_late(incident, at=at),
        quiet_until=quiet_until,
    )


def _happened(incident: Incident, told_at: datetime | None) -> Iterator[Happened]:
    entries = TimelineEntry.objects.live().filter(incident=incident)
    if told_at is not None:
        # What was written down later may have been earlier, and is as new to customers.
        entries = entries.filter(Q(recorded_at__gt=told_at) | Q(at__gt=told_at))
    entries = entries.exclude(kind__in=_TOLD_OTHERWISE).exclude(kind=EntryKind.JOB)
    for entry in entries.exclude(tags__overlap=list(_OWN_NOTES)).order_by("at", "position", "pk"):
        yield Happened(
            entry_id=entry.pk,
            at=entry.at,
            until=entry.until,
            text=entry.text if entry.is_public else "",
            tags=entry.tags,
            outcome=entry.outcome,
            milestone=entry.milestone,
        )


def _reports(incident: Incident) -> Iterator[ProgressReport]:
    return incident.progress_reports.unfinished().order_by("started_at", "pk").iterator()


def _job(incident: Incident, report: ProgressReport, *, at: datetime) -> Job:
    code = _CODES.get(ProgressState(report.state), "restore_going_on")
    figures = dict.fromkeys(wording.NAMES, "") | _figures(incident, report)
    return Job(
        title=report.title,
        sentence=wording.update_wording(code, lambda: figures).text,
        silent_since=report.heartbeat_at if report.is_silent(at=at) else None,
    )


def _figures(incident: Incident, report: ProgressReport) -> dict[str, str]:
    phase, tz = ProgressPhase(report.phase), zone(incident.tz)
    return {
        "phase": wording.phase_words(phase),
        "percent": "" if report.percent is None else spoken.share(report.percent),
        "progress": wording.progress_words(phase, report.percent),
        "eta": wording.eta_words(report.eta_low_at, report.eta_high_at, tz),
        "data_until": wording.horizon_words(report.data_until_at, tz),
        "amount": wording.amount_words(report.done, report.unit),
        # The report does not keep it; the next update of the job itself names it.
        "resumes": wording.resume_words(None, tz),
    }


def _given(incident: Incident, told_at: datetime | None) -> Iterator[Given]:
    """Yield people's estimates: the one that stands, and those missed that nobody owned up to."""
    etas = incident.promises.filter(kind=PromiseKind.ETA, made_by_job="")
    missed = Q(outcome=PromiseOutcome.MISSED, replaced_by=None)
    if told_at is not None:
        missed &= Q(settled_at__gt=told_at)
    found: list[Promise] = list(etas.filter(missed | Q(outcome=PromiseOutcome.OPEN)))
    for promise in found:
        yield Given(latest=promise.expires_at, is_missed=promise.outcome == PromiseOutcome.MISSED)


def _missing(incident: Incident) -> Iterator[Missing]:
    kinds = [ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST]
    found = Impact.objects.live().filter(
        incident=incident, kind__in=kinds, until=None, tenant=None, data_from_at__isnull=False
    )
    for impact in found.select_related("component").order_by("data_from_at", "pk"):
        assert impact.data_from_at is not None
        yield Missing(
            kind=ImpactKind(impact.kind),
            since=impact.data_from_at,
            component=impact.component.name if impact.component else "",
        )


def _is_late(incident: Incident, *, at: datetime) -> bool:
    newest = incident.promises.filter(kind=PromiseKind.NEXT_UPDATE).newest_first().first()
    if newest is None or newest.expires_at is None:
        return False
    unkept = newest.outcome in (PromiseOutcome.OPEN, PromiseOutcome.MISSED)
    return unkept and newest.expires_at < at
