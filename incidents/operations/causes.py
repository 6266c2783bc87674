"""Deeds on root causes, and on the cases at vendors that they lead to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import RootCause, VendorCase
from incidents.operations.record import keep_revision, lock_incident, note, refuse_outdated
from incidents.times import refuse_out_of_time
from incidents.values import CaseState, CauseKind, EntryKind, When


class CauseRemoved(Refused):
    code = "cause-removed"
    message = _("This cause has been taken off the record. Bring it back first.")


class NoVendorCase(Refused):
    code = "no-vendor-case"
    message = _("This cause has no support case any more. Load the page again.")


def record_root_cause(
    *,
    incident_id: int,
    kind: CauseKind,
    text: str,
    at: datetime,
    author: User | None,
    when: When | None = None,
    evidence: Sequence[int] = (),
    addressed_by: Sequence[int] = (),
    import_line: int | None = None,
) -> RootCause:
    """Write down one reason, behind the others.

    With the ids of the entries that show it, and of the action items that address it.
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        last = incident.causes.aggregate(last=Max("position"))["last"]
        cause = RootCause(
            incident=incident,
            kind=kind,
            text=text,
            position=(last or 0) + 1,
            created_by=author,
            created_at=at,
            import_line=import_line,
            **(when or When.unknown()).fields(),
        )
        cause.save(force_insert=True)
        _link(cause, evidence=evidence, addressed_by=addressed_by)
    return cause


def edit_root_cause(
    *,
    cause_id: int,
    at: datetime,
    author: User | None,
    kind: CauseKind | None = None,
    text: str | None = None,
    evidence: Sequence[int] | None = None,
    addressed_by: Sequence[int] | None = None,
    version: int | None = None,
) -> RootCause:
    """Change a cause. What it said before is kept as a revision.

    :raises CauseRemoved: if it was taken off the record
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read
    """
    with transaction.atomic():
        cause = RootCause.objects.select_for_update().get(pk=cause_id)
        if cause.deleted_at is not None:
            raise CauseRemoved
        refuse_outdated(cause.version, version)
        _keep(cause, at=at, author=author)
        cause.kind = kind or cause.kind
        cause.text = text or cause.text
        cause.edited_at = at
        cause.save(update_fields=["kind", "text", "edited_at", "version"])
        _link(cause, evidence=evidence, addressed_by=addressed_by)
    return cause


def remove_root_cause(*, cause_id: int, at: datetime, author: User | None) -> RootCause:
    """Take a cause off the record. It can be brought back, with all that it is linked to."""
    return _set_removed(cause_id, removed_at=at, at=at, author=author)


def restore_root_cause(*, cause_id: int, at: datetime, author: User | None) -> RootCause:
    """Bring a cause back that was taken off the record."""
    return _set_removed(cause_id, removed_at=None, at=at, author=author)


def move_root_cause(*, cause_id: int, direction: Literal["up", "down"]) -> None:
    """Let a cause change places with the one before or behind it. At an end nothing changes."""
    with transaction.atomic():
        incident = lock_incident(
            RootCause.objects.values_list("incident", flat=True).get(pk=cause_id)
        )
        row = list(incident.causes.live().in_order())
        here = next((n for n, cause in enumerate(row) if cause.pk == cause_id), None)
        if here is None:
            raise CauseRemoved
        there = here + (-1 if direction == "up" else 1)
        if 0 <= there < len(row):
            row[here], row[there] = row[there], row[here]
        # Those that were imported share one place until somebody moves one of them.
        for position, cause in enumerate(row, start=1):
            cause.position = position
        RootCause.objects.bulk_update(row, ["position"])


def write_vendor_case(
    *,
    cause_id: int,
    provider: str,
    at: datetime,
    author: User | None,
    reference: str = "",
    url: str = "",
    state: CaseState = CaseState.OPEN,
    opened: When | None = None,
    promised: When | None = None,
    note_text: str = "",
    version: int | None = None,
) -> VendorCase:
    """Write down the case at a vendor's support that a cause has led to, or what it has come to.

    What it said before is kept as a revision. That it is there, and each new state, is an entry
    of the timeline for staff.

    :raises CauseRemoved: if the cause was taken off the record
    :raises OutOfTime: if one of the times is in a year that cannot be meant
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read; 0 for none
    """
    refuse_out_of_time(opened, promised)
    with transaction.atomic():
        cause = RootCause.objects.select_for_update().select_related("incident").get(pk=cause_id)
        if cause.deleted_at is not None:
            raise CauseRemoved
        case = VendorCase.objects.filter(cause=cause).first()
        refuse_outdated(case.version if case else 0, version)
        before = case.state if case else ""
        if case:
            keep_revision(case, at=at, author=author)
            case.version, case.edited_at = case.version + 1, at
        else:
            case = VendorCase(cause=cause, created_at=at)
        fields: dict[str, Any] = {
            "provider": provider, "reference": reference, "url": url, "state": state,
            "note": note_text,
        }  # fmt: skip
        fields |= (opened or When.unknown()).fields("opened_")
        fields |= (promised or When.unknown()).fields("promised_")
        for name, value in fields.items():
            setattr(case, name, value)
        case.save()
        if state != before:
            # That it was opened stands where that was, if anybody said when.
            when = (
                opened if opened and opened.at and not before and state == CaseState.OPEN else None
            )
            _note_state(case, cause, at=at, author=author, when=when)
    return case


def remove_vendor_case(*, cause_id: int, version: int, at: datetime, author: User | None) -> None:
    """Take a support case off its cause: it was written down by mistake.

    What it said is kept with the cause's history.

    :raises NoVendorCase: if it has none
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read
    """
    with transaction.atomic():
        cause = RootCause.objects.select_for_update().get(pk=cause_id)
        case = VendorCase.objects.filter(cause=cause).first()
        if case is None:
            raise NoVendorCase
        refuse_outdated(case.version, version)
        reason = gettext("Support case removed: %s") % case
        _keep(cause, at=at, author=author, reason=reason)
        cause.save(update_fields=["version"])
        case.delete()


def _note_state(
    case: VendorCase, cause: RootCause, *, at: datetime, author: User | None, when: When | None
) -> None:
    words = CaseState(case.state).label
    note(
        lock_incident(cause.incident_id),
        gettext("Support case at %(case)s: %(state)s") % {"case": case, "state": words},
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        when=when,
        tags=["vendor"],
    )


def _set_removed(
    cause_id: int, *, removed_at: datetime | None, at: datetime, author: User | None
) -> RootCause:
    with transaction.atomic():
        cause = RootCause.objects.select_for_update().get(pk=cause_id)
        if (cause.deleted_at is None) != (removed_at is None):
            _keep(cause, at=at, author=author)
            cause.deleted_at = removed_at
            cause.save(update_fields=["deleted_at", "version"])
    return cause


def _keep(cause: RootCause, *, at: datetime, author: User | None, reason: str = "") -> None:
    """Keep what a cause says and is linked to, and count one version on; the caller saves that."""
    also = {
        name: sorted(getattr(cause, name).values_list("pk", flat=True))
        for name in ("evidence", "addressed_by")
    }
    keep_revision(cause, at=at, author=author, reason=reason, also=also)
    cause.version += 1


def _link(
    cause: RootCause, *, evidence: Sequence[int] | None, addressed_by: Sequence[int] | None
) -> None:
    """Set what shows a cause and what addresses it, of the same incident; None: as it is."""
    incident = cause.incident
    if evidence is not None:
        cause.evidence.set(incident.entries.filter(pk__in=evidence))
    if addressed_by is not None:
        cause.addressed_by.set(incident.actions.filter(pk__in=addressed_by))
