"""Telling followers: each published update goes into the outbox once, whoever asks how often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import translation
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from incidents.models import MaintenanceUpdate, StatusUpdate
from incidents.values import IncidentKind, MaintenanceState, Phase, Visibility, zone
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState
from statuspage.documents.bodies import words_of
from statuspage.documents.letters import as_letter
from statuspage.documents.maintenance import window
from statuspage.models import Announcement, Page, Subscriber
from statuspage.publisher.scope import concerns, concerns_maintenance

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
        StatusUpdate.objects.told()
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
    announced = sum(_announce(update_id, at=at) for update_id in list(waiting))
    return announced + _announce_maintenances(at=at)


def _announce_maintenances(*, at: datetime) -> int:
    waiting = (
        MaintenanceUpdate.objects.filter(
            deliver_notifications=True,
            published_at__gt=at - _NEWS_FOR,
            announcement__isnull=True,
            maintenance__visibility=Visibility.PUBLIC,
            # What was said while only staff knew of it is no news.
            published_at__gte=F("maintenance__published_at"),
        )
        .order_by("published_at", "pk")
        .values_list("pk", flat=True)
    )
    return sum(_announce_maintenance(update_id, at=at) for update_id in list(waiting))


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
        pages = [page for page in Page.objects.in_order() if concerns(page, update.incident_id)]
        followers = _followers(pages, update.published_at)
        for follower in followers:
            with translation.override(follower.page.language):
                _enqueue(_message(update), follower, at=at)
        announcement = Announcement(update=update, announced_at=at, recipients=len(followers))
        announcement.save(force_insert=True)
    return True


def _announce_maintenance(update_id: int, *, at: datetime) -> bool:
    with transaction.atomic():
        update = (
            MaintenanceUpdate.objects.select_for_update(of=("self",))
            .select_related("maintenance")
            .get(pk=update_id)
        )
        if Announcement.objects.filter(maintenance_update=update).exists():
            return False
        pages = [
            page
            for page in Page.objects.in_order()
            if concerns_maintenance(page, update.maintenance)
        ]
        followers = _followers(pages, update.published_at)
        for follower in followers:
            with translation.override(follower.page.language):
                _enqueue(_maintenance_message(update, follower.page), follower, at=at)
        announcement = Announcement(
            maintenance_update=update, announced_at=at, recipients=len(followers)
        )
        announcement.save(force_insert=True)
    return True


def _followers(pages: Iterable[Page], published_at: datetime | None) -> list[Subscriber]:
    """Return who follows any of these pages; who follows several is told once."""
    followers = (
        Subscriber.objects.following()
        # What was said before somebody followed is no message to them.
        .filter(page__in=pages, confirmed_at__lte=published_at)
        .select_related("page")
        .order_by("-page_id", "pk")
    )
    return list({follower.email: follower for follower in followers}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """An update as followers read it, in the language that was active."""

    key: str
    thread: str
    path: str
    label: str
    title: str
    body: str


def _message(update: StatusUpdate) -> _Message:
    incident = update.incident
    return _Message(
        key=f"update-{update.pk}",
        thread=f"incident-{incident.public_id}",
        path=f"/incidents/{incident.public_id}",
        label=str(Phase(update.phase).label),
        title=incident.title,
        body=as_letter(words_of(update)),
    )


def _maintenance_message(update: MaintenanceUpdate, page: Page) -> _Message:
    maintenance = update.maintenance
    stretch = window(maintenance.scheduled_for, maintenance.scheduled_until, zone(page.time_zone))
    return _Message(
        key=f"maintenance-update-{update.pk}",
        thread=f"maintenance-{maintenance.public_id}",
        path=f"/maintenances/{maintenance.public_id}",
        label=str(MaintenanceState(update.state).label),
        title=maintenance.title,
        body=_("%(body)s\n\nPlanned time: %(window)s")
        % {"body": as_letter(words_of(update)), "window": strip_tags(stretch)},
    )


def _enqueue(message: _Message, follower: Subscriber, *, at: datetime) -> None:
    page, leave = follower.page, f"{follower.page.url}/unsubscribe/{follower.token}"
    body = _("%(body)s\n\nThe whole story: %(link)s\n\nNo more of these messages: %(leave)s\n") % {
        "body": message.body,
        "link": f"{page.url}{message.path}",
        "leave": leave,
    }
    subject = _("[%(page)s] %(phase)s: %(title)s") % {
        "page": page.name,
        "phase": message.label,
        "title": message.title,
    }
    outbox.enqueue(
        channel=Channel.EMAIL,
        recipient=follower.email,
        subject=subject[:200],
        body=body,
        idempotency_key=f"{message.key}-to-{follower.pk}",
        at=at,
        headers={
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "References": f"<{message.thread}@highwater>",
        },
    )
