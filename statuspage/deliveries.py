"""Telling followers: each published update goes into the outbox once, whoever asks how often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from incidents.models import StatusUpdate
from incidents.values import IncidentKind, Phase, Visibility
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState
from statuspage.documents.bodies import as_text
from statuspage.models import Announcement, Page, Subscriber

# What is older is no news: followers of today are not sent last year's updates.
_NEWS_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounts:
    """What became of the messages to one address."""

    sent: int
    queued: int
    failed: int


def delivery_counts(recipients: Iterable[str]) -> Mapping[str, DeliveryCounts]:
    """Return the counts for each of these addresses that was ever written to. One query."""
    rows = (
        Delivery.objects.filter(channel=Channel.EMAIL, recipient__in=list(recipients))
        .values("recipient")
        .annotate(
            sent=Count("pk", filter=Q(state=DeliveryState.SENT)),
            queued=Count("pk", filter=Q(state=DeliveryState.QUEUED)),
            failed=Count("pk", filter=Q(state=DeliveryState.FAILED)),
        )
    )
    return {
        row["recipient"]: DeliveryCounts(
            sent=row["sent"], queued=row["queued"], failed=row["failed"]
        )
        for row in rows
    }


def queue_deliveries(*, at: datetime) -> int:
    """Queue a message to every follower for each update that has not been announced.

    Returns how many updates were announced now. Safe to be called by several at once, and again.
    """
    waiting = (
        StatusUpdate.objects.published()
        .filter(
            deliver_notifications=True,
            published_at__gt=at - _NEWS_FOR,
            announcement__isnull=True,
            incident__visibility=Visibility.PUBLIC,
            incident__kind=IncidentKind.LIVE,
        )
        .order_by("published_at", "pk")
        .values_list("pk", flat=True)
    )
    return sum(_announce(update_id, at=at) for update_id in list(waiting))


def _announce(update_id: int, *, at: datetime) -> bool:
    with transaction.atomic():
        # The lock on the update lets one caller through; the others see its announcement.
        update = (
            StatusUpdate.objects.select_for_update(of=("self",))
            .select_related("incident")
            .get(pk=update_id)
        )
        if Announcement.objects.filter(update=update).exists():
            return False
        page = Page.objects.the_one(at=at)
        followers = list(
            Subscriber.objects.following()
            # What was said before somebody followed is no message to them.
            .filter(confirmed_at__lte=update.published_at)
            .order_by("pk")
        )
        for follower in followers:
            _enqueue(page, update, follower, at=at)
        announcement = Announcement(update=update, announced_at=at, recipients=len(followers))
        announcement.save(force_insert=True)
    return True


def _enqueue(page: Page, update: StatusUpdate, follower: Subscriber, *, at: datetime) -> None:
    incident, leave = update.incident, f"{page.url}/unsubscribe/{follower.token}"
    body = _("%(body)s\n\nThe whole story: %(link)s\n\nNo more of these messages: %(leave)s\n") % {
        "body": as_text(update.body),
        "link": f"{page.url}/incidents/{incident.public_id}",
        "leave": leave,
    }
    outbox.enqueue(
        channel=Channel.EMAIL,
        recipient=follower.email,
        subject=f"[{page.name}] {Phase(update.phase).label}: {incident.title}"[:200],
        body=body,
        idempotency_key=f"update-{update.pk}-to-{follower.pk}",
        at=at,
        headers={
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "References": f"<incident-{incident.public_id}@highwater>",
        },
    )
