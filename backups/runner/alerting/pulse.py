"""That Highwater itself lives: beat reaches a worker, and somebody outside hears of it."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse

from backups.models import Heartbeat
from backups.options.words import duration
from incidents.models import NoticeChannel
from notifications import guarded, outbox
from notifications.errors import Undelivered
from notifications.models import Channel

logger = logging.getLogger(__name__)

# Beat calls every half minute: after so long it does not run, or no worker does.
SILENT_AFTER = timedelta(minutes=5)


def beat(*, at: datetime) -> None:
    """Write down that beat has reached a worker; if staff were told that it did not, tell that."""
    Heartbeat.objects.get_or_create(pk=1)
    with transaction.atomic():
        row = Heartbeat.objects.select_for_update().get(pk=1)
        told_at, row.beaten_at, row.silence_told_at = row.silence_told_at, at, None
        row.save(update_fields=["beaten_at", "silence_told_at"])
        if told_at is not None:
            _tell_rooms(
                "Over: Highwater's beat and workers run again",
                f"A worker was heard again. What was due meanwhile is done now.\n\n{_link()}\n",
                key=f"backups-heard-{told_at:%Y%m%dT%H%M%S}",
                at=at,
            )


def send_heartbeat(*, at: datetime) -> bool:
    """Tell the address outside that all is well, if its time has come; whether it was told.

    One of many callers does. An address that does not answer is tried again the next time.
    """
    due = Q(sent_at=None) | Q(sent_at__lte=at - F("every"))
    with transaction.atomic():
        rows = Heartbeat.objects.select_for_update(skip_locked=True).exclude(url="")
        row = rows.filter(due).first()
        if row is None:
            return False
        try:
            guarded.post(row.url, body=b"", headers={"Content-Type": "text/plain"})
        except Undelivered as fault:
            # By its own words, which hold nothing of the address.
            logger.warning("heartbeat: %s", fault)
            row.failed_at, row.last_error = at, str(fault)[:500]
            row.save(update_fields=["failed_at", "last_error"])
            return False
        row.sent_at, row.failed_at, row.last_error = at, None, ""
        row.save(update_fields=["sent_at", "failed_at", "last_error"])
        return True


def tell_silence(*, at: datetime) -> bool:
    """Tell staff that beat or the workers have stopped, once; whether they were told now.

    For whoever still runs then: the web process. No worker would send it, so it is sent here.
    """
    with transaction.atomic():
        row = (
            Heartbeat.objects.select_for_update(skip_locked=True)
            .filter(beaten_at__lt=at - SILENT_AFTER, silence_told_at=None)
            .first()
        )
        if row is None or row.beaten_at is None:
            return False
        _tell_rooms(
            "[SEV2] Highwater's beat or workers do not run",
            f"No worker was heard for {duration(at - row.beaten_at)}. Backups are neither taken "
            "nor watched, and no message goes out by itself. Start beat and the workers.\n\n"
            f"{_link()}\n",
            key=f"backups-silence-{row.beaten_at:%Y%m%dT%H%M%S}",
            at=at,
        )
        row.silence_told_at = at
        row.save(update_fields=["silence_told_at"])
    outbox.send_due(at=at)
    return True


def _tell_rooms(subject: str, body: str, *, key: str, at: datetime) -> None:
    for room in NoticeChannel.objects.filter(is_enabled=True).order_by("pk"):
        outbox.enqueue(
            channel=Channel(room.channel),
            recipient=room.address,
            signing_key_id=room.signing_key_id,
            headers={"type": "highwater.silent"},
            subject=subject,
            body=body,
            idempotency_key=f"{key}-to-{room.pk}",
            at=at,
        )


def _link() -> str:
    return f"{settings.DESK_URL}{reverse('backups:dashboard')}"
