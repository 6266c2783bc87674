"""Reminding whoever speaks to customers of what they were promised."""

from datetime import datetime, timedelta

from django.db import transaction

from incidents import notice_words
from incidents.models import DeskRules, Promise
from incidents.operations.notices.telling import holders, speakers, tell
from incidents.operations.record import lock_incident
from incidents.values import NoticeKind


def remind_of_promises(*, at: datetime) -> int:
    """Remind whoever speaks to customers of what falls due. Return how many were told of now.

    Each promise once, and none that a job made: that keeps its own. Who has promised something a
    minute ago is not reminded of it at once.
    """
    lead = DeskRules.objects.in_force().reminder_lead
    due = (
        Promise.objects.open()
        .filter(
            reminded_at=None,
            made_by_job="",
            expires_at__gt=at,
            expires_at__lte=at + lead,
        )
        .order_by("expires_at", "pk")
    )
    told = 0
    for promise_id, incident_id in due.values_list("pk", "incident_id"):
        with transaction.atomic():
            incident = lock_incident(incident_id)
            promise = Promise.objects.open().filter(pk=promise_id, reminded_at=None).first()
            if promise is None or not _is_time(promise, lead, at):
                continue
            promise.reminded_at = at
            promise.save(update_fields=["reminded_at"])
            told += tell(
                incident,
                kind=NoticeKind.UPDATE_DUE,
                fact=str(promise.pk),
                words=notice_words.promise_due(promise, tz=incident.tz, at=at),
                people=speakers(holders(incident)),
                at=at,
            )
    return told


def _is_time(promise: Promise, lead: timedelta, at: datetime) -> bool:
    if promise.expires_at is None:
        return False
    return at >= promise.expires_at - min(lead, (promise.expires_at - promise.made_at) / 2)
