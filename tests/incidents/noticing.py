"""What tests of notices share: people with an address, channels, and who was told."""

from typing import Any

from accounts.models import User
from incidents.models import Notice, NoticeChannel
from incidents.values import NoticeKind
from notifications.models import Channel, Delivery
from tests.factories import NOON, ResponderFactory


def person(name: str, *, email: str | None = None, **fields: Any) -> User:
    address = f"{name}@example.org" if email is None else email
    return ResponderFactory.create(
        username=name, first_name=name.title(), last_name="", email=address, **fields
    )


def channel(name: str = "#incidents", **fields: Any) -> NoticeChannel:
    row = NoticeChannel(
        **{
            "name": name,
            "channel": Channel.CHAT,
            "address": f"https://chat.example.org/hooks/{name}",
            "created_at": NOON,
            **fields,
        }
    )
    row.save(force_insert=True)
    return row


def told(kind: NoticeKind | None = None) -> list[str]:
    """Return the recipients of what was queued, in order."""
    notices = Notice.objects.filter(**({"kind": kind} if kind else {}))
    abouts = [notice.about for notice in notices]
    rows = Delivery.objects.filter(message__about__in=abouts).order_by("pk")
    return [row.recipient for row in rows]
