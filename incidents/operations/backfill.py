"""Writing an incident down once it is over."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Component, ComponentChange, Incident, StatusUpdate
from incidents.operations.history import history_start, rewrite_history
from incidents.operations.incident import IMPACT
from incidents.operations.members import let_in_who_works
from incidents.operations.record import announce, note
from incidents.operations.timeline import EndsBeforeStart
from incidents.times import refuse_out_of_time
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


class ToldAfterItsEnd(Refused):
    code = "told-after-its-end"
    message = _(
        "An update is no older than the end, and does not say “Resolved”. "
        "Give it that phase, or correct its time, or when it was over."
    )


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
    is left alone. What they showed then is corrected unless told not to: where the record says
    worse already, it stays; what lies before the start of a component is left out, as
    ``beyond_history`` says. ``updates`` come in any order.

    :raises OutOfTime: if any of it lies in a year that cannot be meant
    :raises EndsBeforeStart: if it ended before it began
    :raises StillToCome: if any of it lies in the future
    :raises ToldBeforeItBegan: if an update is older than the incident
    :raises ToldAfterItsEnd: if an update at the end, or after it, has another phase than resolved
    :raises PhasesRunBackwards: if an update after the resolved one has another phase
    """
    told = sorted(updates, key=lambda update: update.at)
    _refuse_impossible(began_at, ended_at, told, at=at)
    moments = [update.at for update in told]
    incident = Incident(
        title=" ".join(title.split()), summary=summary, severity=severity, impact=IMPACT[severity],
        phase=Phase.RESOLVED, kind=IncidentKind.BACKFILLED, visibility=visibility, tz=tz,
        source=source, created_by=author, created_at=at, updated_at=max([ended_at, *moments]),
        published_at=min([began_at, *moments]), resolved_at=ended_at,
        monitoring_at=_last_monitored(told),
    )  # fmt: skip
    with transaction.atomic():
        incident.save(force_insert=True)
        incident.components.set(components or {})
        if incident.is_private:
            let_in_who_works(incident, author=author)
        _note_milestone(incident, Milestone.STARTED, began_at, at=at, author=author)
        rows = [_tell(incident, update, at=at, author=author) for update in told]
        _note_milestone(incident, Milestone.RESOLVED, ended_at, at=at, author=author)
        _record_changes(rows, components or {})
        if corrects_history and components and incident.moves_components:
            _correct_history(components, began_at, ended_at, at=at, author=author)
        announce(incident.pk)
    return incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A component whose history begins later than what is to be corrected in it."""

    component: Component
    # None where it ends before the history begins, so that nothing can be corrected.
    corrected_from: datetime | None


def beyond_history(
    component_ids: Collection[int], *, began_at: datetime, ended_at: datetime
) -> list[Beyond]:
    """Return those of these components of which this stretch cannot be corrected as a whole."""
    found = []
    for component in Component.objects.filter(pk__in=component_ids, is_group=False).in_tree():
        start = history_start(component)
        if start is None or ended_at <= start:
            found.append(Beyond(component=component, corrected_from=None))
        elif began_at < start.replace(microsecond=0):
            found.append(Beyond(component=component, corrected_from=start))
    return found


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
    later = {
        found.component.pk: found.corrected_from
        for found in beyond_history(components, began_at=began_at, ended_at=ended_at)
    }
    for pk, status in sorted(components.items()):
        since = later.get(pk, began_at)
        if since is None:
            continue
        rewrite_history(
            component_id=pk,
            status=status,
            since=since,
            until=ended_at,
            at=at,
            author=author,
            keeps_worse=True,
        )


def _refuse_impossible(
    began_at: datetime, ended_at: datetime, told: Sequence[PastUpdate], *, at: datetime
) -> None:
    refuse_out_of_time(began_at, ended_at, *(update.at for update in told))
    if ended_at < began_at:
        raise EndsBeforeStart
    if max([ended_at, *(update.at for update in told)]) > at:
        raise StillToCome
    if told and told[0].at < began_at:
        raise ToldBeforeItBegan
    if any(update.at >= ended_at and update.phase != Phase.RESOLVED for update in told):
        raise ToldAfterItsEnd
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
