"""The whole record of an incident as plain values, for its postmortem and for exports."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Prefetch, QuerySet

from incidents.account import (
    Action,
    Case,
    Cause,
    Change,
    Dismissal,
    Entry,
    Impact,
    Link,
    Promise,
    Record,
    Section,
    Time,
    Update,
)
from incidents.models import Incident, PostmortemSection, SeverityRule, StatusUpdate, VendorCase
from incidents.queries.record import timeline
from incidents.values import Milestone, Severity, When


def record_of(incident_id: int) -> Record:
    """Return all that is on record of an incident; rows bear their ids as numbers.

    A fixed number of queries. What was taken off the record is left out, and so are files.
    """
    incident = Incident.objects.get(pk=incident_id)
    named = ((each.value, getattr(incident, f"{each.value}_at")) for each in Milestone)
    components = incident.components.order_by("name").values_list("name", flat=True)
    return Record(
        public_id=incident.public_id,
        title=incident.title,
        summary=incident.summary,
        severity=incident.severity,
        impact=incident.impact,
        kind=incident.kind,
        visibility=incident.visibility,
        phase=incident.phase,
        tz=incident.tz,
        components=tuple(components),
        moments=tuple((name, at) for name, at in named if at is not None),
        published_at=incident.published_at,
        entries=tuple(_entry(row) for row in timeline(incident_id)),
        updates=tuple(_update(row) for row in _told(incident)),
        promises=tuple(_promise(row) for row in incident.promises.order_by("made_at", "pk")),
        impacts=tuple(_impact(row) for row in _impacts(incident)),
        causes=tuple(_cause(row) for row in _causes(incident)),
        actions=tuple(_action(row) for row in _actions(incident)),
        dismissals=tuple(
            Dismissal(
                n=row.pk,
                code=row.code,
                reason=row.reason,
                subject=row.subject,
                evidence=row.evidence,
            )
            for row in incident.lint_dismissals.order_by("pk")
        ),
        sections=tuple(_section(row) for row in sections(incident_id)),
    )


def sections(incident_id: int) -> QuerySet[PostmortemSection]:
    """Return the live sections of an incident's postmortem, in their order."""
    return (
        PostmortemSection.objects.live()
        .filter(postmortem__incident=incident_id)
        .select_related("written_by")
        .in_order()
    )


def known_account(record: Record) -> Incident | None:
    """Return the incident that an account tells of, if it is on record here."""
    return Incident.objects.filter(public_id=record.public_id).first()


def names_of_staff(text: str) -> list[str]:
    """Return the names of people at the desk that a text for customers holds."""
    words = f" {' '.join(text.casefold().split())} "
    people = get_user_model().objects.filter(is_staff=True)
    names = {
        name
        for person in people.only("username", "first_name", "last_name")
        for name in (person.username, person.get_full_name())
        if name
    }
    return sorted(name for name in names if _stands_in(name.casefold(), words))


def _stands_in(name: str, words: str) -> bool:
    place = words.find(name)
    while place >= 0:
        before, after = words[place - 1 : place], words[place + len(name) : place + len(name) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        place = words.find(name, place + 1)
    return False


def _time(row: Any, prefix: str = "") -> Time:
    said = When.of(row, prefix)
    return Time(
        at=said.at,
        until=said.until,
        precision=str(said.precision),
        approx=said.approx,
        tz=said.tz,
        said=said.said,
    )


def _entry(row: Any) -> Entry:
    return Entry(
        n=row.pk,
        time=_time(row),
        text=row.text,
        kind=row.kind,
        tags=tuple(row.tags),
        outcome=row.outcome,
        milestone=row.milestone,
        actor=row.actor_label,
        is_public=row.is_public,
        is_pinned=row.is_pinned,
        links=tuple(
            Link(url=proof.url, caption=proof.caption) for proof in row.evidence.all() if proof.url
        ),
    )


def _told(incident: Incident) -> QuerySet[StatusUpdate]:
    return (
        incident.updates.published()
        .filter(entry__deleted_at=None)
        .prefetch_related("component_changes__component")
        .order_by("published_at", "pk")
    )


def _update(row: Any) -> Update:
    changes = sorted(row.component_changes.all(), key=lambda change: change.pk)
    return Update(
        n=row.pk,
        entry=row.entry_id,
        body=row.body,
        phase=row.phase,
        published_at=row.published_at,
        author=row.author_label,
        translations=tuple(sorted(row.translations.items())),
        changes=tuple(
            Change(component=one.component.name, old=one.old_status, new=one.new_status)
            for one in changes
        ),
    )


def _promise(row: Any) -> Promise:
    return Promise(
        n=row.pk,
        kind=row.kind,
        due=_time(row, "due_"),
        made_at=row.made_at,
        outcome=row.outcome,
        text=row.text,
        basis=row.basis,
        confidence=row.confidence,
        expires_at=row.expires_at,
        settled_at=row.settled_at,
        made_in=row.made_in_id or 0,
        settled_by=row.settled_by_id or 0,
        replaced_by=row.replaced_by_id or 0,
    )


def _impacts(incident: Incident) -> QuerySet[Any]:
    return incident.impacts.live().select_related("component", "tenant").order_by("at", "pk")


def _impact(row: Any) -> Impact:
    return Impact(
        n=row.pk,
        kind=row.kind,
        at=row.at,
        until=row.until,
        precision=row.precision,
        component=row.component.name if row.component else "",
        tenant=row.tenant.name if row.tenant else "",
        data_from_at=row.data_from_at,
        text=row.text,
    )


def _causes(incident: Incident) -> QuerySet[Any]:
    return (
        incident.causes.live()
        .prefetch_related("evidence", Prefetch("vendor_case", VendorCase.objects.all()))
        .in_order()
    )


def _cause(row: Any) -> Cause:
    case = getattr(row, "vendor_case", None)
    evidence = sorted(entry.pk for entry in row.evidence.all() if entry.deleted_at is None)
    return Cause(
        n=row.pk,
        kind=row.kind,
        text=row.text,
        time=_time(row),
        evidence=tuple(evidence),
        case=case
        and Case(
            provider=case.provider,
            reference=case.reference,
            url=case.url,
            state=case.state,
            opened=_time(case, "opened_"),
            promised=_time(case, "promised_"),
            note=case.note,
        ),
    )


def _actions(incident: Incident) -> QuerySet[Any]:
    return incident.actions.select_related("owner").prefetch_related("addresses").order_by("pk")


def _action(row: Any) -> Action:
    return Action(
        n=row.pk,
        text=row.text,
        kind=row.kind,
        state=row.state,
        reason=row.state_reason,
        owner=row.owner.username if row.owner else "",
        owner_label=row.owner_label,
        priority=row.priority,
        due=_time(row, "due_"),
        done=_time(row, "done_"),
        proof=row.proof,
        check=row.check_by,
        tracker_url=row.tracker_url,
        is_public=row.is_public,
        addresses=tuple(sorted(one.pk for one in row.addresses.all() if one.deleted_at is None)),
    )


def _section(row: PostmortemSection) -> Section:
    return Section(n=row.pk, kind=row.kind, title=row.title, body=row.body, is_public=row.is_public)


def postmortem_due(incident: Incident) -> datetime | None:
    """Return when the postmortem of an incident is due; None where none is asked for yet."""
    days = SeverityRule.objects.in_force(Severity(incident.severity)).postmortem_days
    if incident.resolved_at is None or days is None or incident.is_drill:
        return None
    return incident.resolved_at + timedelta(days=days)
