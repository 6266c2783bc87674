"""Telling followers: each published update goes into the outbox once, whoever asks how often."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import translation
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from incidents.models import Component, MaintenanceUpdate, StatusUpdate
from incidents.values import IncidentKind, MaintenanceState, Phase, Visibility, zone
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState, Message
from notifications.outbox import Recipient
from statuspage.documents.bodies import words_of
from statuspage.documents.letters import as_letter
from statuspage.documents.maintenance import window
from statuspage.models import Announcement, Pace, Page, Subscriber
from statuspage.publisher.scope import concerns, concerns_maintenance

# What is older is no news: followers of today are not sent last year's updates.
_NEWS_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounts:
    """What became of the messages to one address."""

    sent: int
    queued: int
    failed: int
    # Not sent on purpose: the recipient had left, or was quarantined.
    suppressed: int


def delivery_counts(recipients: Iterable[str]) -> Mapping[str, DeliveryCounts]:
    """Return the counts for each of these addresses that was ever written to. One query."""
    rows = (
        Delivery.objects.filter(recipient__in=list(recipients))
        .values("recipient")
        .annotate(
            sent=Count("pk", filter=Q(state=DeliveryState.SENT)),
            queued=Count("pk", filter=Q(state=DeliveryState.QUEUED)),
            failed=Count("pk", filter=Q(state=DeliveryState.FAILED)),
            suppressed=Count("pk", filter=Q(state=DeliveryState.SUPPRESSED)),
        )
    )
    return {
        row["recipient"]: DeliveryCounts(
            sent=row["sent"],
            queued=row["queued"],
            failed=row["failed"],
            suppressed=row["suppressed"],
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
        news = _News(
            key=f"update-{update.pk}",
            published_at=update.published_at or at,
            pages=[page for page in Page.objects.in_order() if concerns(page, update.incident_id)],
            part_ids=_parts(update),
            incident_id=update.incident_id,
            is_milestone=_is_milestone(update),
        )
        recipients = _tell(news, lambda _page: _message(update), at=at)
        announcement = Announcement(update=update, announced_at=at, recipients=recipients)
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
        maintenance = update.maintenance
        pages = [
            page for page in Page.objects.in_order() if concerns_maintenance(page, maintenance)
        ]
        news = _News(
            key=f"maintenance-update-{update.pk}",
            published_at=update.published_at,
            pages=pages,
            part_ids=_with_groups(maintenance.components.all()),
            incident_id=None,
            is_milestone=True,
        )
        recipients = _tell(news, lambda page: _maintenance_message(update, page), at=at)
        announcement = Announcement(
            maintenance_update=update, announced_at=at, recipients=recipients
        )
        announcement.save(force_insert=True)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """Something that was said, as far as it decides who hears of it."""

    key: str
    published_at: datetime
    pages: list[Page]
    # The components that it is about, with their groups.
    part_ids: set[int]
    # None of a maintenance.
    incident_id: int | None
    is_milestone: bool


def _tell(news: _News, message: Callable[[Page], "_Message"], *, at: datetime) -> int:
    """Queue it for everybody who wants to hear it, rendered once a page and language."""
    by_words: dict[tuple[Page, str], list[Subscriber]] = {}
    for follower in _followers(news):
        words = (follower.page, follower.language or follower.page.language)
        by_words.setdefault(words, []).append(follower)
    told = 0
    for (page, language), followers in by_words.items():
        with translation.override(language):
            said = _written(message(page), page, about=news.key, at=at)
        told += outbox.fan_out(said, [_recipient(news, each) for each in followers], at=at)
    return told


def _recipient(news: _News, follower: Subscriber) -> Recipient:
    return Recipient(
        channel=Channel(follower.channel),
        address=follower.endpoint or follower.email,
        token=follower.token,
        signing_key_id=follower.signing_key_id,
        idempotency_key=f"{news.key}-to-{follower.pk}",
    )


def _followers(news: _News) -> list[Subscriber]:
    """Return who wants to hear of it; who follows in several ways is told once."""
    about_it = Q(incident__isnull=True) & (
        Q(components__isnull=True) | Q(components__in=news.part_ids)
    )
    if news.incident_id:
        about_it |= Q(incident=news.incident_id)
    else:
        about_it &= Q(hears_of_maintenance=True)
    if not news.is_milestone:
        about_it &= Q(pace=Pace.EVERY)
    followers = (
        Subscriber.objects.following()
        # What was said before somebody followed is no message to them.
        .filter(about_it, page__in=news.pages, confirmed_at__lte=news.published_at)
        .select_related("page")
        .order_by("-page_id", "-pk")
    )
    # The first page counts for its language, and there the oldest of several wishes.
    return list({(each.channel, each.endpoint or each.email): each for each in followers}.values())


def _parts(update: StatusUpdate) -> set[int]:
    """Return the components of the incident and of the update, with their groups."""
    changed = [change.component for change in update.component_changes.select_related("component")]
    return _with_groups([*update.incident.components.all(), *changed])


def _with_groups(components: Iterable[Component]) -> set[int]:
    return {pk for part in components for pk in (part.pk, part.group_id) if pk}


def _is_milestone(update: StatusUpdate) -> bool:
    """Whether something begins, turns or ends with it: its phase is another than before."""
    before = (
        update.incident.updates.told()
        .filter(published_at__lt=update.published_at)
        .order_by("-published_at", "-pk")
        .values_list("phase", flat=True)
        .first()
    )
    return before != update.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """An update as followers read it, in the language that was active."""

    thread: str
    path: str
    label: str
    title: str
    body: str


def _message(update: StatusUpdate) -> _Message:
    incident = update.incident
    return _Message(
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
        thread=f"maintenance-{maintenance.public_id}",
        path=f"/maintenances/{maintenance.public_id}",
        label=str(MaintenanceState(update.state).label),
        title=maintenance.title,
        body=_("%(body)s\n\nPlanned time: %(window)s")
        % {"body": as_letter(words_of(update)), "window": strip_tags(stretch)},
    )


def _written(message: _Message, page: Page, *, about: str, at: datetime) -> Message:
    """Write a message down, with a place for each follower's own way to choose and to leave."""
    leave = f"{page.url}/unsubscribe/{outbox.TOKEN}"
    body = _(
        "%(body)s\n\nThe whole story: %(link)s\n\n"
        "Choose what you are told: %(choose)s\nNo more of these messages: %(leave)s\n"
    ) % {
        "body": message.body,
        "link": f"{page.url}{message.path}",
        "choose": f"{page.url}/subscriptions/{outbox.TOKEN}",
        "leave": leave,
    }
    subject = _("[%(page)s] %(phase)s: %(title)s") % {
        "page": page.name,
        "phase": message.label,
        "title": message.title,
    }
    return outbox.write_message(
        subject=subject,
        body=body,
        at=at,
        about=about,
        headers={
            "List-Unsubscribe": f"<{leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "References": f"<{message.thread}@highwater>",
            "type": "status.updated",
        },
    )
