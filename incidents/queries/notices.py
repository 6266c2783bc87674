"""Questions about what staff are told, where, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.models import User
from incidents.models import Incident, Notice, NoticeChannel
from incidents.values import NoticeKind
from notifications.models import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A fact that staff were told of, with its messages."""

    notice: Notice
    deliveries: Sequence[Delivery]


def notice_channels() -> QuerySet[NoticeChannel]:
    """Return the channels, by name."""
    return NoticeChannel.objects.order_by("name", "pk")


def kinds_unheard(channels: Iterable[NoticeChannel]) -> list[NoticeKind]:
    """Return what none of these channels hears of, whatever the severity."""
    heard = {kind for channel in channels if channel.is_enabled for kind in channel.kinds}
    return [kind for kind in NoticeKind if kind not in heard]


def staff_without_address() -> QuerySet[User]:
    """Return who works at the desk and cannot be told anything by mail."""
    return User.objects.filter(is_active=True, is_staff=True, email="").order_by("username")


def notices(user: User) -> QuerySet[Notice]:
    """Return what staff were told, the newest first, but for what this one may not know of."""
    return (
        Notice.objects.exclude(incident__in=Incident.objects.hidden_from(user))
        .select_related("incident")
        .order_by("-told_at", "-pk")
    )


def told(rows: Iterable[Notice]) -> list[Told]:
    """Return these with their messages. One question for all."""
    by_name: dict[str, list[Delivery]] = {row.about: [] for row in rows}
    deliveries = Delivery.objects.filter(message__about__in=by_name).select_related("message")
    for delivery in deliveries.order_by("pk"):
        by_name[delivery.message.about].append(delivery)
    return [Told(notice=row, deliveries=by_name[row.about]) for row in rows]
