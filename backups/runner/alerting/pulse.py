"""That Highwater itself lives: beat reaches a worker, and somebody outside hears of it."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse

from backups.models import BackupCheck, Database, Heartbeat
from backups.options.words import duration
from backups.queries.dashboard import LOOK_HOLDS
from incidents.models import NoticeChannel
from notifications import guarded, outbox
from notifications.errors import Undelivered
from notifications.models import Channel

logger = logging.getLogger(__name__)

# How much before its time a heartbeat may go out.
_EARLY = timedelta(seconds=5)
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

    One of many callers does. An address that does not answer is tried again the next time. While
    no check looks at the databases, all is not well, though beat and workers run.
    """
    # It was never sent in the future: that clock ran ahead. A beat that is early by a little would
    # make it late by a whole round.
    early = at + _EARLY
    due = Q(sent_at=None) | Q(sent_at__lte=early - F("every")) | Q(sent_at__gt=at)
    with transaction.atomic():
        rows = Heartbeat.objects.select_for_update(skip_locked=True).exclude(url="")
        row = rows.filter(due).first()
        if row is None:
            return False
        if not _is_looked_after(at=at):
            logger.warning("heartbeat: not sent, for no check has looked at a database of late")
            row.failed_at = at
            row.last_error = "Not sent: no check has looked at a database of late."
            row.save(update_fields=["failed_at", "last_error"])
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


def tell_silence(*, at: datetime, since: datetime | None = None) -> bool:
    """Tell staff that beat or the workers have stopped, once; whether they were told now.

    For whoever still runs then: the web process. No worker would send it, so it is sent here, and
    tried again for as long as nobody else does. Beat that never ran is missed from ``since`` on.
    """
    Heartbeat.objects.get_or_create(pk=1)
    with transaction.atomic():
        row = Heartbeat.objects.select_for_update(skip_locked=True).first()
        heard_at = (row.beaten_at or since) if row is not None else None
        if row is None or heard_at is None or heard_at >= at - SILENT_AFTER:
            return False
        is_news = row.silence_told_at is None and _tell_silent(heard_at, at=at)
        if is_news:
            row.silence_told_at = at
            row.save(update_fields=["silence_told_at"])
    outbox.send_due(at=at)
    return is_news


def _is_looked_after(*, at: datetime) -> bool:
    """Whether a check has looked at a database of late, or there was none to look at."""
    late = at - LOOK_HOLDS
    if not Database.objects.filter(registered_at__lt=late).exists():
        return True
    return BackupCheck.objects.filter(database__unregistered_at=None, looked_at__gte=late).exists()


def _tell_silent(heard_at: datetime, *, at: datetime) -> bool:
    """Tell every room that nothing was heard since then; whether there is a room."""
    return _tell_rooms(
        "[SEV2] Highwater's beat or workers do not run",
        f"No worker was heard for {duration(at - heard_at)}. Backups are neither taken "
        "nor watched, and no message goes out by itself. Start beat and the workers.\n\n"
        f"{_link()}\n",
        key=f"backups-silence-{heard_at:%Y%m%dT%H%M%S}",
        at=at,
    )


def _tell_rooms(subject: str, body: str, *, key: str, at: datetime) -> bool:
    rooms = list(NoticeChannel.objects.filter(is_enabled=True).order_by("pk"))
    for room in rooms:
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
    return bool(rooms)


def _link() -> str:
    return f"{settings.DESK_URL}{reverse('backups:dashboard')}"
