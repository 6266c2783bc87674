"""Deeds on the page itself and on who follows it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.values import zone
from statuspage import publisher
from statuspage.models import Page, Subscriber


class NoSuchZone(Refused):
    code = "no-such-zone"
    message = _("There is no such time zone. Give an IANA name such as Europe/Berlin.")


def set_up_page(
    *, name: str, url: str, at: datetime, time_zone: str = "Etc/UTC", support_url: str = ""
) -> Page:
    """Name the page, say where it lies and in which zone it tells the time; publish it anew.

    :raises NoSuchZone: if the zone is unknown
    :raises SiteBusy: if it is kept, but cannot be published now
    """
    try:
        zone(time_zone)
    except ValueError as fault:
        raise NoSuchZone from fault
    with transaction.atomic():
        Page.objects.the_one(at=at)
        page = Page.objects.select_for_update().get()
        page.name = name
        page.url = url.rstrip("/")
        page.time_zone = time_zone
        page.support_url = support_url
        page.updated_at = at
        page.save(update_fields=["name", "url", "time_zone", "support_url", "updated_at"])
        # Not robust: whoever renames the page is told that it could not be written just now.
        transaction.on_commit(publisher.publish_all)
    return page


def add_subscriber(*, email: str, at: datetime) -> Subscriber:
    """Add a follower whom staff vouch for. One who had left, or is there, is followed up again."""
    with transaction.atomic():
        subscriber, _created = Subscriber.objects.select_for_update().get_or_create(
            email=email.strip().lower(), defaults={"created_at": at, "confirmed_at": at}
        )
        subscriber.confirmed_at = subscriber.confirmed_at or at
        subscriber.unsubscribed_at = None
        subscriber.save(update_fields=["confirmed_at", "unsubscribed_at"])
    return subscriber


def unsubscribe(*, token: str, at: datetime) -> bool:
    """End a following. Whether there was one; asked again, the answer is the same."""
    found = Subscriber.objects.filter(token=token)
    found.filter(unsubscribed_at__isnull=True).update(unsubscribed_at=at)
    return found.exists()
