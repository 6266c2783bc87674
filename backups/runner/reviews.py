"""Workarounds that come back: an action item on an incident, due on the day of review."""

import logging
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from django.db import transaction

from backups.models import PolicyChange, RestoreJob
from backups.queries import workarounds_due
from incidents.models import ActionItem
from incidents.operations.actions import add_action_item
from incidents.values import ActionKind, Precision, Priority, When

logger = logging.getLogger(__name__)


def hang_reviews(*, at: datetime) -> int:
    """Make an action item of every workaround that has come back and has none yet.

    It is hung on the last incident in which the database was restored. Of a database that never was
    there is none: the check of the policy says it all the same. Returns how many were made.
    """
    made = 0
    for change in workarounds_due(at=at):
        if change.action_id is None:
            try:
                made += _hang_if_still_bare(change.pk, at=at)
            except Exception:
                # One that stumbles is tried again; the others get theirs all the same.
                logger.exception("change %s of a policy: no action item was made", change.pk)
    return made


def hang_review(change: PolicyChange, *, incident_id: int, at: datetime) -> ActionItem:
    """Make the action item of a workaround on this incident, due on its day of review."""
    assert change.review_on is not None
    zone = ZoneInfo(change.policy.tz)
    midnight = datetime.combine(change.review_on, time(), tzinfo=zone).astimezone(UTC)
    change.action = add_action_item(
        incident_id=incident_id,
        text=f"Review the workaround in the backup policy of {change.policy.database}: "
        f"{change.why}",
        at=at,
        author=change.by,
        kind=ActionKind.PREVENT,
        priority=Priority.HIGH,
        due=When(at=midnight, precision=Precision.DAY, tz=change.policy.tz),
        check_by="Somebody has said at the policy's page what became of it.",
    )
    change.save(update_fields=["action"])
    return change.action


def _hang_if_still_bare(change_id: int, *, at: datetime) -> bool:
    with transaction.atomic():
        # Another beat that has it makes the item.
        rows = PolicyChange.objects.select_for_update(skip_locked=True, of=("self",))
        change = rows.filter(pk=change_id, action=None, reviewed_at=None).first()
        if change is None:
            return False
        restores = RestoreJob.objects.filter(
            database_id=change.policy.database_id, incident__isnull=False
        )
        last = restores.newest_first().first()
        if last is None:
            return False
        hang_review(change, incident_id=last.incident_id, at=at)
    return True
