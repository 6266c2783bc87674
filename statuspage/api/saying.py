"""What programs say of incidents, as deeds: declared, told, moved on, put right, taken away."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from incidents import operations
from incidents.models import Component, Incident, Maintenance
from incidents.operations.incident import IMPACT
from incidents.values import ComponentStatus, ImpactLevel, Phase, Severity, Source, Visibility
from statuspage.api.base import ManagementView, status_of
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.documents.facts import told
from statuspage.models import Attachment, Override

_SEVERITY = {impact: severity for severity, impact in IMPACT.items()}
# What clients are told of the components that suffer, when nobody says how grave it is.
_IMPACT = {
    ComponentStatus.OPERATIONAL: ImpactLevel.NONE,
    ComponentStatus.UNDER_MAINTENANCE: ImpactLevel.NONE,
    ComponentStatus.DEGRADED_PERFORMANCE: ImpactLevel.MINOR,
    ComponentStatus.PARTIAL_OUTAGE: ImpactLevel.MAJOR,
    ComponentStatus.MAJOR_OUTAGE: ImpactLevel.CRITICAL,
}
_GRAVEST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a program says of components: how they are, and which are merely named, by our ids."""

    statuses: Mapping[int, ComponentStatus]
    named: Mapping[int, ComponentStatus]

    @property
    def everything(self) -> dict[int, ComponentStatus]:
        return {**self.named, **self.statuses}

    @property
    def changes(self) -> bool:
        """Whether any component is said to be otherwise than it is."""
        return any(self.named[pk] != status for pk, status in self.statuses.items())


def components_in(view: ManagementView, body: Body) -> Said:
    """Return what is said of components: a map of statuses, ids, or both.

    :raises Unfit: if one is no component of the page, or a status is none
    """
    raw = body.raw("components")
    by_id = {} if isinstance(raw, list) else body.table("components")
    ids = body.listing("components") if isinstance(raw, list) else []
    wanted = list(dict.fromkeys([*by_id, *ids, *body.listing("component_ids")]))
    parts: dict[str, Component] = {part.public_id: part for part in view.parts(wanted)}
    return Said(
        statuses={parts[key].pk: status_of(said, parts[key]) for key, said in by_id.items()},
        named={part.pk: ComponentStatus(part.status) for part in parts.values()},
    )


def declare(view: ManagementView, body: Body) -> Incident:
    """Declare an incident, or write one down that is over.

    :raises Unfit: if what was sent is not fit for it
    """
    title = body.line("name")
    if not title:
        raise Unfit("name can't be blank.")
    phase = Phase(body.choice("status", Phase.values) or Phase.INVESTIGATING)
    said = components_in(view, body)
    if view.touching is not None and not said.everything:
        raise Unfit("This page shows some components only. Name at least one of them.")
    severity = _severity(body, said.everything)
    if body.flag("backfilled", default=False) or body.has("backfill_date"):
        incident = _backfill(view, body, title=title, severity=severity, said=said)
    else:
        incident = _declare_now(view, body, title=title, severity=severity, phase=phase, said=said)
    keep_attached(body, incident=incident)
    return incident


def _declare_now(
    view: ManagementView, body: Body, *, title: str, severity: Severity, phase: Phase, said: Said
) -> Incident:
    words = body.text("body").strip() or usual_words(view, phase)
    deliver = body.flag("deliver_notifications", default=True)
    is_first = phase == Phase.INVESTIGATING
    incident = operations.declare_incident(
        title=title, severity=severity, at=view.at, author=view.user, source=Source.API,
        tz=view.page.time_zone, body=words if is_first else "", deliver_notifications=deliver,
        # Where another word comes first, that says how they are: so it stands beside it.
        components=said.everything if is_first else said.named,
    )  # fmt: skip
    if not is_first:
        operations.post_status_update(
            incident_id=incident.pk, body=words, phase=phase, at=view.at, author=view.user,
            component_statuses=said.everything, deliver_notifications=deliver,
        )  # fmt: skip
    return incident


def _backfill(
    view: ManagementView, body: Body, *, title: str, severity: Severity, said: Said
) -> Incident:
    when = body.moment("backfill_date")
    if when is None:
        raise Unfit("backfill_date is missing: the day on which it was, such as 2026-01-09.")
    words = body.text("body").strip()
    if not words:
        raise Unfit("body can't be blank: say what customers shall read of it.")
    return operations.backfill_incident(
        title=title, severity=severity, began_at=when, ended_at=when, at=view.at,
        author=view.user, tz=view.page.time_zone, source=Source.API, corrects_history=False,
        updates=[operations.PastUpdate(at=when, phase=Phase.RESOLVED, body=words)],
        components=said.statuses,
    )  # fmt: skip


def change(view: ManagementView, incident: Incident, body: Body) -> None:
    """Carry out what a program sends of an incident that is there.

    :raises Unfit: if what was sent is not fit for it
    """
    if body.has("scheduled_for") or body.has("scheduled_until"):
        raise Unfit("An incident has no planned time. Post a scheduled maintenance of its own.")
    phase = Phase(body.choice("status", Phase.values) or incident.phase)
    said = components_in(view, body)
    _rename(view, incident, body, said)
    words = body.text("body").strip()
    if incident.is_resolved and phase == Phase.RESOLVED:
        _say_of_the_past(view, incident, words, said)
    elif incident.is_resolved:
        _reopen(view, incident, body, phase=phase, said=said)
    elif words or said.changes or phase != incident.phase:
        _tell(view, incident, body, phase=phase, said=said)
    keep_attached(body, incident=incident)


def _say_of_the_past(view: ManagementView, incident: Incident, words: str, said: Said) -> None:
    """Let what is over be over: the same word again is no other one."""
    last = next(iter(told(incident)), None)
    if words and (last is None or last.body.strip() != words):
        raise operations.IncidentResolved
    for pk, status in said.statuses.items():
        if status != said.named[pk]:
            operations.set_component_status(component_id=pk, status=status, at=view.at)


def _reopen(
    view: ManagementView, incident: Incident, body: Body, *, phase: Phase, said: Said
) -> None:
    words = body.text("body").strip()
    operations.reopen_incident(
        incident_id=incident.pk, reason=words[:200] or "By a program", at=view.at,
        author=view.user, component_statuses=said.statuses or None,
    )  # fmt: skip
    if words or phase != Phase.INVESTIGATING:
        _tell(view, incident, body, phase=phase, said=Said(statuses={}, named={}))


def _tell(
    view: ManagementView, incident: Incident, body: Body, *, phase: Phase, said: Said
) -> None:
    operations.post_status_update(
        incident_id=incident.pk,
        body=body.text("body").strip() or usual_words(view, phase),
        phase=phase,
        at=view.at,
        author=view.user,
        component_statuses=said.statuses,
        deliver_notifications=body.flag("deliver_notifications", default=True),
    )


def _rename(view: ManagementView, incident: Incident, body: Body, said: Said) -> None:
    """Call it otherwise, or graver, where that is said or follows from how components are."""
    title = body.line("name") or incident.title
    severity = Severity(incident.severity)
    if body.has("impact_override"):
        severity = _severity(body, {})
    elif not Attachment.objects.filter(incident=incident).exclude(impact_override="").exists():
        # It is as grave as it ever was.
        found = (severity, _severity(body, said.statuses))
        severity = min(found, key=_GRAVEST_FIRST.index)
    if (title, severity) != (incident.title, incident.severity):
        _edit(view, incident, title=title, severity=severity)


def _edit(
    view: ManagementView,
    incident: Incident,
    *,
    title: str = "",
    severity: Severity | None = None,
    visibility: Visibility = Visibility.PUBLIC,
) -> None:
    operations.edit_incident(
        incident_id=incident.pk,
        title=title or incident.title,
        summary=incident.summary,
        severity=severity or Severity(incident.severity),
        visibility=visibility,
        at=view.at,
        author=view.user,
    )


def take_away(view: ManagementView, incident: Incident) -> None:
    """Take an incident off the page. The record keeps it, and if it was open, it is over."""
    with transaction.atomic():
        _edit(view, incident, visibility=Visibility.INTERNAL)
        if not incident.is_resolved:
            affected: list[Component] = incident.affected  # type: ignore[attr-defined]
            operations.post_status_update(
                incident_id=incident.pk,
                body="It was deleted by a program.",
                phase=Phase.RESOLVED,
                at=view.at,
                author=view.user,
                component_statuses={part.pk: ComponentStatus(part.status) for part in affected},
                deliver_notifications=False,
            )


def keep_attached(
    body: Body, *, incident: Incident | None = None, maintenance: Maintenance | None = None
) -> None:
    """Keep what the record has no place for, if it was sent.

    :raises Unfit: if it cannot be kept
    """
    kept: dict[str, object] = {}
    if "metadata" in body:
        kept["metadata"] = body.objects("metadata")
    if "impact_override" in body:
        kept["impact_override"] = body.choice("impact_override", Override.values)
    if kept:
        Attachment.objects.update_or_create(
            incident=incident, maintenance=maintenance, defaults=kept
        )


def usual_words(view: ManagementView, phase: Phase) -> str:
    """Return what customers read when a program moves an incident on without a word."""
    with translation.override(view.page.language):
        return {
            Phase.INVESTIGATING: gettext("We are looking into this."),
            Phase.IDENTIFIED: gettext("We know the cause and are working on it."),
            Phase.MONITORING: gettext("This is repaired. We are watching whether it stays so."),
            Phase.RESOLVED: gettext("This is over."),
        }[phase]


def _severity(body: Body, statuses: Mapping[int, ComponentStatus]) -> Severity:
    said = body.choice("impact_override", Override.values)
    if said:
        # A maintenance hurts nobody by itself.
        return _SEVERITY[ImpactLevel.NONE if said == Override.MAINTENANCE else ImpactLevel(said)]
    worst = max(statuses.values(), key=lambda status: status.rank, default=None)
    return _SEVERITY[_IMPACT[worst]] if worst else Severity.SEV4
