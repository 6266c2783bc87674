"""Writing an incident down once it is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Component, ComponentChange, Incident, StatusUpdate
from incidents.operations.history import rewrite_history
from incidents.operations.incident import IMPACT
from incidents.operations.record import announce, note
from incidents.operations.timeline import EndsBeforeStart
from incidents.values import (
    ComponentStatus,
    EntryKind,
    IncidentKind,
    Milestone,
    Phase,
    Severity,
    Source,
    UpdateState,
    Visibility,
    When,
)


class StillToCome(Refused):
    code = "still-to-come"
    message = _("This is still to come. Only what is over can be written down afterwards.")


class ToldBeforeItBegan(Refused):
    code = "told-before-it-began"
    message = _("An update is older than the incident. Correct its time, or when it began.")


class PhasesRunBackwards(Refused):
    code = "phases-run-backwards"
    message = _("Nothing comes after “Resolved”. Give a later update that phase, too.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastUpdate:
    """What customers were told then, or shall read as if they had been."""

    at: datetime
    phase: Phase
    body: str


def backfill_incident(
    *,
    title: str,
    severity: Severity,
    began_at: datetime,
    ended_at: datetime,
    at: datetime,
    author: User | None,
    updates: Sequence[PastUpdate] = (),
    components: Mapping[int, ComponentStatus] | None = None,
    corrects_history: bool = True,
    summary: str = "",
    visibility: Visibility = Visibility.PUBLIC,
    tz: str = "UTC",
    source: Source = Source.WEB,
) -> Incident:
    """Write down an incident that is over, with its own times. Nobody is notified, ever.

    ``components`` are those that suffered, with the worst that they showed; what they show now
    is left alone, and what they showed then is corrected unless told not to. ``updates`` come in
    any order.

    :raises EndsBeforeStart: if it ended before it began
    :raises StillToCome: if any of it lies in the future
    :raises ToldBeforeItBegan: if an update is older than the incident
    :raises PhasesRunBackwards: if an update after the resolved one has another phase
    :raises StretchBeforeTheStart: if a component's history begins later than the incident
    """
    told = sorted(updates, key=lambda update: update.at)
    _refuse_impossible(began_at, ended_at, told, at=at)
    with transaction.atomic():
        incident = Incident(
            title=" ".join(title.split()),
            summary=summary,
            severity=severity,
            impact=IMPACT[severity],
            phase=Phase.RESOLVED,
            kind=IncidentKind.BACKFILLED,
            visibility=visibility,
            tz=tz,
            source=source,
            created_by=author,
            created_at=at,
            updated_at=max([ended_at, *(update.at for update in told)]),
            published_at=min([began_at, *(update.at for update in told)]),
            resolved_at=ended_at,
            monitoring_at=_last_monitored(told),
        )
        incident.save(force_insert=True)
        incident.components.set(components or {})
        _note_milestone(incident, Milestone.STARTED, began_at, at=at, author=author)
        rows = [_tell(incident, update, at=at, author=author) for update in told]
        _note_milestone(incident, Milestone.RESOLVED, ended_at, at=at, author=author)
        _record_changes(rows, components or {})
        if corrects_history and components:
            _correct_history(components, began_at, ended_at, at=at, author=author)
        announce(incident.pk)
    return incident


def _correct_history(
    components: Mapping[int, ComponentStatus],
    began_at: datetime,
    ended_at: datetime,
    *,
    at: datetime,
    author: User | None,
) -> None:
    if began_at == ended_at:
        # It took no time that anybody could count.
        return
    for pk, status in sorted(components.items()):
        rewrite_history(
            component_id=pk, status=status, since=began_at, until=ended_at, at=at, author=author
        )


def _refuse_impossible(
    began_at: datetime, ended_at: datetime, told: Sequence[PastUpdate], *, at: datetime
) -> None:
    if ended_at < began_at:
        raise EndsBeforeStart
    if max([ended_at, *(update.at for update in told)]) > at:
        raise StillToCome
    if told and told[0].at < began_at:
        raise ToldBeforeItBegan
    phases = [update.phase for update in told]
    if Phase.RESOLVED in phases and set(phases[phases.index(Phase.RESOLVED) :]) != {Phase.RESOLVED}:
        raise PhasesRunBackwards


def _last_monitored(told: Sequence[PastUpdate]) -> datetime | None:
    return max((update.at for update in told if update.phase == Phase.MONITORING), default=None)


_MILESTONES = {
    Milestone.STARTED: _("The incident began."),
    Milestone.RESOLVED: _("The incident was over."),
}


def _note_milestone(
    incident: Incident, milestone: Milestone, when: datetime, *, at: datetime, author: User | None
) -> None:
    note(
        incident,
        str(_MILESTONES[milestone]),
        at=at,
        author=author,
        kind=EntryKind.EVENT,
        when=When(at=when),
        milestone=milestone,
    )


def _tell(
    incident: Incident, told: PastUpdate, *, at: datetime, author: User | None
) -> StatusUpdate:
    entry = note(
        incident,
        told.body,
        at=at,
        author=author,
        kind=EntryKind.UPDATE,
        when=When(at=told.at),
        milestone=Milestone.FIRST_UPDATE,
        is_public=True,
    )
    update = StatusUpdate(
        incident=incident,
        entry=entry,
        body=told.body,
        phase=told.phase,
        state=UpdateState.PUBLISHED,
        author=author,
        deliver_notifications=False,
        created_at=told.at,
        published_at=told.at,
    )
    update.save(force_insert=True)
    return update


def _record_changes(
    told: Sequence[StatusUpdate], components: Mapping[int, ComponentStatus]
) -> None:
    """Let the first update say what suffered, and the resolved one that it works again."""
    first = next(iter(told), None)
    ended = next((update for update in told if update.phase == Phase.RESOLVED), None)
    for component in Component.objects.filter(pk__in=components, is_group=False).order_by("pk"):
        works, suffered = ComponentStatus.OPERATIONAL, components[component.pk]
        if first is not None and first is not ended:
            _change(first, component, works, suffered)
        if ended is not None:
            _change(ended, component, suffered, works)


def _change(
    update: StatusUpdate, component: Component, before: ComponentStatus, after: ComponentStatus
) -> None:
    ComponentChange.objects.create(
        update=update, component=component, old_status=before, new_status=after
    )
