"""Deciding about what the lint found."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import LintDismissal
from incidents.operations.record import keep_revision, lock_incident


class DismissalNeedsAReason(Refused):
    code = "dismissal-needs-a-reason"
    message = _("Say why the finding may stand: whoever approves the postmortem reads the reason.")


def dismiss_finding(
    *,
    incident_id: int,
    code: str,
    subject: str,
    reason: str,
    at: datetime,
    author: User | None,
    evidence: str = "",
) -> LintDismissal:
    """Decide about a finding of the lint, with a reason that stays on record.

    ``subject`` is that of the finding. Deciding once more replaces the reason and keeps the former.

    :raises DismissalNeedsAReason: if there is none
    """
    reason = reason.strip()
    if not reason:
        raise DismissalNeedsAReason
    with transaction.atomic():
        # Two who decide at the same time decide one after the other.
        lock_incident(incident_id)
        known = LintDismissal.objects.filter(
            incident_id=incident_id, code=code, subject=subject
        ).first()
        if known is not None:
            keep_revision(known, at=at, author=author)
        dismissal, _created = LintDismissal.objects.update_or_create(
            incident_id=incident_id,
            code=code,
            subject=subject,
            defaults={
                "reason": reason,
                "evidence": evidence,
                "dismissed_by": author,
                "dismissed_at": at,
            },
        )
    return dismissal


def undismiss_finding(*, dismissal_id: int, at: datetime, author: User | None) -> None:
    """Take a decision back, so that the finding counts again. What it said stays on record.

    Taken back already, nothing happens.
    """
    with transaction.atomic():
        dismissal = LintDismissal.objects.select_for_update().filter(pk=dismissal_id).first()
        if dismissal is not None:
            keep_revision(dismissal, at=at, author=author, reason="taken back")
            dismissal.delete()
