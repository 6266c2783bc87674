"""Taking an account that was exported here into the record, whole."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, transaction

from accounts.models import User
from incidents.account import NotAnAccount, Record, Time, body_of, subject_of
from incidents.errors import Refused
from incidents.models import (
    ActionItem,
    Component,
    Evidence,
    Impact,
    Incident,
    LintDismissal,
    Postmortem,
    PostmortemSection,
    Promise,
    RootCause,
    StatusUpdate,
    Tenant,
    TimelineEntry,
    VendorCase,
)
from incidents.operations.record import announce
from incidents.values import Source, UpdateState, Visibility, zone


class AlreadyOnRecord(Refused):
    code = "already-on-record"
    message = (
        "This incident is on record here already, and nothing was imported. Import it again only "
        "if a second record of it is wanted."
    )


def import_account(
    *,
    record: Record,
    text: str,
    source_name: str,
    at: datetime,
    author: User | None,
    again: bool = False,
    visibility: Visibility | None = None,
) -> Incident:
    """Write an incident down from an account that was exported, equal to the one it came from.

    Components, tenants and people are found by their names; who is not here is kept as a label, and
    what else is not here is left out. Approval does not travel: the postmortem is a draft. A second
    record of the same incident has a public id of its own.

    :raises AlreadyOnRecord: if the incident is here, unless it is to be written down ``again``
    :raises NotAnAccount: if the account holds what no record can
    """
    known = Incident.objects.filter(public_id=record.public_id).exists()
    if known and not again:
        raise AlreadyOnRecord
    try:
        _refuse_strange_zones(record)
        with transaction.atomic():
            incident = _Writer(record, at=at, author=author, visibility=visibility).write(
                public_id="" if known else record.public_id
            )
            postmortem = Postmortem.objects.create(
                incident=incident,
                document=text,
                source_name=source_name[:300],
                created_at=at,
                owner=author,
            )
            _write_sections(postmortem, incident, record, author=author)
            announce(incident.pk)
    except (IntegrityError, DataError, ValueError, OverflowError) as fault:
        # A mark that somebody has changed may hold anything; the tables know what cannot be.
        raise NotAnAccount from fault
    return incident


def _refuse_strange_zones(record: Record) -> None:
    times = [
        *(entry.time for entry in record.entries),
        *(promise.due for promise in record.promises),
        *(cause.time for cause in record.causes),
        *(time for action in record.actions for time in (action.due, action.done)),
    ]
    for name in {record.tz, *(time.tz for time in times)}:
        zone(name)


class _Writer:
    """Writes one record, and knows which rows its numbers became."""

    def __init__(
        self, record: Record, *, at: datetime, author: User | None, visibility: Visibility | None
    ) -> None:
        self._record = record
        self._at = at
        self._author = author
        self._visibility = visibility
        self._components = {row.name: row for row in Component.objects.order_by("-pk")}
        names = {impact.tenant for impact in record.impacts if impact.tenant}
        self._tenants = {row.name: row for row in Tenant.objects.filter(name__in=names)}
        owners = {action.owner for action in record.actions if action.owner}
        self._people = {row.username: row for row in User.objects.filter(username__in=owners)}
        self._ids: dict[str, dict[int, int]] = {}

    def write(self, *, public_id: str) -> Incident:
        self._incident = incident = self._add_incident(public_id)
        self._ids["entry"] = dict(self._add_entries())
        self._ids["update"] = dict(self._add_updates())
        self._ids["promise"] = dict(self._add_promises())
        self._ids["impact"] = dict(self._add_impacts())
        self._ids["cause"] = dict(self._add_causes())
        self._ids["action"] = dict(self._add_actions())
        incident.written = self._ids  # type: ignore[attr-defined]
        for row in self._record.dismissals:
            LintDismissal.objects.create(
                incident=incident,
                code=row.code,
                subject=subject_of(row.subject, self._ids),
                reason=row.reason,
                evidence=row.evidence,
                dismissed_by=self._author,
                dismissed_at=self._at,
            )
        return incident

    def _add_incident(self, public_id: str) -> Incident:
        record = self._record
        moments = {f"{name}_at": at for name, at in record.moments}
        incident = Incident(
            title=record.title,
            summary=record.summary,
            severity=record.severity,
            impact=record.impact,
            kind=record.kind,
            visibility=self._visibility or record.visibility,
            phase=record.phase,
            tz=record.tz,
            source=Source.IMPORT,
            created_by=self._author,
            created_at=self._at,
            updated_at=max((one.published_at for one in record.updates), default=self._at),
            published_at=record.published_at,
            **moments,
            **({"public_id": public_id} if public_id else {}),
        )
        incident.save(force_insert=True)
        named = [self._components[name] for name in record.components if name in self._components]
        incident.components.set(named)
        return incident

    def _add_entries(self) -> Iterator[tuple[int, int]]:
        for place, entry in enumerate(self._record.entries, start=1):
            row = TimelineEntry.objects.create(
                incident=self._incident,
                position=float(place),
                kind=entry.kind,
                text=entry.text,
                tags=list(entry.tags),
                outcome=entry.outcome,
                milestone=entry.milestone,
                actor_label=entry.actor,
                source=Source.IMPORT,
                is_public=entry.is_public,
                is_pinned=entry.is_pinned,
                created_by=self._author,
                recorded_at=self._at,
                **_when(entry.time),
            )
            for link in entry.links:
                Evidence.objects.create(
                    entry=row,
                    url=link.url,
                    caption=link.caption,
                    created_by=self._author,
                    created_at=self._at,
                )
            yield entry.n, row.pk

    def _add_updates(self) -> Iterator[tuple[int, int]]:
        for update in self._record.updates:
            row = StatusUpdate.objects.create(
                incident=self._incident,
                entry_id=self._ids["entry"][update.entry],
                body=update.body,
                translations=dict(update.translations),
                phase=update.phase,
                state=UpdateState.PUBLISHED,
                author_label=update.author,
                deliver_notifications=False,
                created_at=update.published_at,
                published_at=update.published_at,
            )
            for change in update.changes:
                if component := self._components.get(change.component):
                    row.component_changes.create(
                        component=component, old_status=change.old, new_status=change.new
                    )
            yield update.n, row.pk

    def _add_promises(self) -> Iterator[tuple[int, int]]:
        made: dict[int, Promise] = {}
        for promise in self._record.promises:
            made[promise.n] = Promise.objects.create(
                incident=self._incident,
                kind=promise.kind,
                text=promise.text,
                basis=promise.basis,
                confidence=promise.confidence,
                expires_at=promise.expires_at,
                made_at=promise.made_at,
                made_in_id=self._ids["update"].get(promise.made_in),
                outcome=promise.outcome,
                settled_at=promise.settled_at,
                settled_by_id=self._ids["entry"].get(promise.settled_by),
                **_when(promise.due, "due_"),
            )
            yield promise.n, made[promise.n].pk
        for promise in self._record.promises:
            if promise.replaced_by in made:
                made[promise.n].replaced_by = made[promise.replaced_by]
                made[promise.n].save(update_fields=["replaced_by"])

    def _add_impacts(self) -> Iterator[tuple[int, int]]:
        for impact in self._record.impacts:
            if impact.tenant and impact.tenant not in self._tenants:
                # Of a customer who is not here: without the name it would be everybody's.
                continue
            row = Impact.objects.create(
                incident=self._incident,
                component=self._components.get(impact.component),
                tenant=self._tenants.get(impact.tenant),
                kind=impact.kind,
                at=impact.at,
                until=impact.until,
                precision=impact.precision,
                data_from_at=impact.data_from_at,
                text=impact.text,
            )
            yield impact.n, row.pk

    def _add_causes(self) -> Iterator[tuple[int, int]]:
        for place, cause in enumerate(self._record.causes):
            row = RootCause.objects.create(
                incident=self._incident,
                kind=cause.kind,
                text=cause.text,
                position=place,
                created_by=self._author,
                created_at=self._at,
                **_when(cause.time),
            )
            row.evidence.set([self._ids["entry"][number] for number in cause.evidence])
            if case := cause.case:
                VendorCase.objects.create(
                    cause=row,
                    provider=case.provider,
                    reference=case.reference,
                    url=case.url,
                    state=case.state,
                    note=case.note,
                    created_at=self._at,
                    **_when(case.opened, "opened_"),
                    **_when(case.promised, "promised_"),
                )
            yield cause.n, row.pk

    def _add_actions(self) -> Iterator[tuple[int, int]]:
        for action in self._record.actions:
            owner = self._people.get(action.owner)
            row = ActionItem.objects.create(
                incident=self._incident,
                text=action.text,
                kind=action.kind,
                state=action.state,
                state_reason=action.reason,
                owner=owner,
                owner_label=action.owner_label if owner else action.owner or action.owner_label,
                priority=action.priority,
                proof=action.proof,
                check_by=action.check,
                tracker_url=action.tracker_url,
                is_public=action.is_public,
                created_by=self._author,
                created_at=self._at,
                **_when(action.due, "due_"),
                **_when(action.done, "done_"),
            )
            row.addresses.set([self._ids["cause"][number] for number in action.addresses])
            yield action.n, row.pk


def _write_sections(
    postmortem: Postmortem, incident: Incident, record: Record, *, author: User | None
) -> None:
    numbers: Mapping[str, Mapping[int, int]] = incident.written  # type: ignore[attr-defined]
    PostmortemSection.objects.bulk_create(
        PostmortemSection(
            postmortem=postmortem,
            kind=section.kind,
            title=section.title,
            body=body_of(section.body, numbers),
            is_public=section.is_public,
            position=float(place),
            written_by=author,
        )
        for place, section in enumerate(record.sections, start=1)
    )


def _when(time: Time, prefix: str = "") -> dict[str, Any]:
    return {
        prefix + name: getattr(time, name)
        for name in ("at", "until", "precision", "approx", "tz", "said")
    }
