"""The figures of one incident: how long it took to be noticed, told of, mitigated and ended."""

from dataclasses import dataclass
from datetime import datetime

from incidents.models import Incident, StatusUpdate, TimelineEntry
from incidents.models.figures import IncidentFigures, Measure
from incidents.queries.promises import promises_kept
from incidents.spans import Bounds, Span, between, bounds_of, longest_gap
from incidents.values import FALSE_ALARM, Milestone, When


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How long an incident took to be noticed, told, mitigated and ended. None: not known.

    Each is counted from its start, and a range where the record is not exact. Of
    ``promises_settled`` that were kept or missed, ``promises_kept`` were kept.
    """

    detect: Span | None
    # Until somebody first held a role in it: from then on, it was in somebody's hands.
    acknowledge: Span | None
    first_update: Span | None
    mitigate: Span | None
    recover: Span | None
    resolve: Span | None
    longest_silence: Span | None
    promises_kept: int
    promises_settled: int
    # Closed without a word to customers: nothing was wrong, and nothing took any time.
    is_false_alarm: bool

    def measured(self) -> dict[Measure, Span | None]:
        """Return each measure with what it came to."""
        return {measure: getattr(self, measure.value) for measure in Measure}


def figures(incident: Incident, *, at: datetime | None) -> Figures:
    """Return the figures of an incident, counted from its start.

    Silence is counted from the start, between updates, and until the end or, of an open incident,
    until ``at``; with none, how long an open one was silent is not known. What customers could not
    read is no update to them, and counts in none; one that is not theirs to hear of has no silence.
    """
    marks = _marks(incident)
    start = _moment(incident, Milestone.STARTED, marks)

    def until(milestone: Milestone) -> Span | None:
        return between(start, _moment(incident, milestone, marks))

    kept, settled = promises_kept(incident.pk)
    ended = marks.get(Milestone.RESOLVED)
    is_false_alarm = (
        incident.is_resolved
        and incident.published_at is None
        and ended is not None
        and FALSE_ALARM in ended.tags
    )
    return Figures(
        promises_kept=kept,
        promises_settled=settled,
        detect=until(Milestone.DETECTED),
        acknowledge=between(start, _acknowledged(incident)),
        first_update=until(Milestone.FIRST_UPDATE),
        mitigate=until(Milestone.MITIGATED),
        recover=until(Milestone.RECOVERED),
        resolve=None if is_false_alarm else until(Milestone.RESOLVED),
        is_false_alarm=is_false_alarm,
        longest_silence=_longest_silence(
            incident, start, _moment(incident, Milestone.RESOLVED, marks), at=at
        ),
    )


def figures_row(incident: Incident) -> IncidentFigures:
    """Return what is to be kept of an incident's figures: unsaved, and without any clock."""
    found = figures(incident, at=None)
    spans = {
        f"{measure}_{end}": None if span is None else round(getattr(span, end).total_seconds())
        for measure, span in found.measured().items()
        for end in ("low", "high")
    }
    return IncidentFigures(
        incident=incident,
        began_at=incident.started_at or incident.created_at,
        severity=incident.severity,
        kind=incident.kind,
        is_duplicate=incident.duplicate_of_id is not None,
        is_false_alarm=found.is_false_alarm,
        promises_kept=found.promises_kept,
        promises_settled=found.promises_settled,
        **spans,
    )


def _marks(incident: Incident) -> dict[str, TimelineEntry]:
    """Return the live entries that mark a milestone, by it."""
    marked = TimelineEntry.objects.filter(incident=incident).exclude(milestone="")
    return {entry.milestone: entry for entry in marked.live()}


def _moment(
    incident: Incident, milestone: Milestone, marks: dict[str, TimelineEntry]
) -> Bounds | None:
    """Return when a milestone was reached, as exact as the entry says that marks it."""
    at: datetime | None = getattr(incident, f"{milestone.value}_at")
    if at is None:
        return None
    entry = marks.get(milestone)
    # What no entry marks, the incident itself says: when it was written down from a document.
    return bounds_of(When.of(entry)) if entry and entry.at == at else Bounds.exactly(at)


def _acknowledged(incident: Incident) -> Bounds | None:
    roles = incident.roles.order_by("from_at")
    first = roles.values_list("from_at", flat=True).first()
    return Bounds.exactly(first) if first else None


def _longest_silence(
    incident: Incident, start: Bounds | None, end: Bounds | None, *, at: datetime | None
) -> Span | None:
    told = [
        bounds
        for update in StatusUpdate.objects.told()
        .filter(incident=incident, published_at__isnull=False)
        .select_related("entry")
        if (bounds := _read(update)) is not None
    ]
    if not told and not incident.is_for_customers:
        return None
    last = end or (Bounds.exactly(at) if at else None)
    if last is None:
        return None
    told.sort(key=lambda moment: (moment.earliest, moment.latest))
    return longest_gap([*([start] if start else []), *told, last])


def _read(update: StatusUpdate) -> Bounds | None:
    """Return when customers read an update."""
    entry = update.entry
    if entry is not None and entry.at is not None and entry.at == update.published_at:
        return bounds_of(When.of(entry))
    return Bounds.exactly(update.published_at) if update.published_at else None
