"""What the pages do for the record: publish each change at once, and say which zone is theirs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from incidents.signals import public_state_changed, tenants_changed, zone_wanted
from notifications.signals import came_back
from statuspage import publisher, subscribing
from statuspage.models import Page

logger = logging.getLogger(__name__)

# What has changed, while it is gathered to be published together.
_gathered: ContextVar[set[int | None] | None] = ContextVar("gathered", default=None)


@contextmanager
def published_together() -> Iterator[None]:
    """Publish all that is committed inside at its end, at once: one request may be many deeds."""
    changed: set[int | None] = set()
    token = _gathered.set(changed)
    try:
        yield
    finally:
        _gathered.reset(token)
        # A publish brings everything up to date; an incident is named for its own documents.
        for incident_id in changed - {None} or changed:
            publish_change(incident_id=incident_id)


@receiver(public_state_changed, dispatch_uid="statuspage.publish_change")
def publish_change(*, incident_id: int | None, **_signal: Any) -> None:
    """Publish in the process that made the change: no broker, no worker.

    A failure is the page's, not the poster's: what was posted is in the database, the request
    to publish stays on record, and the beat's next publish makes up for it.
    """
    gathered = _gathered.get()
    if gathered is not None:
        gathered.add(incident_id)
        return
    try:
        publisher.request_publish(incident_id)
    except Exception:
        logger.exception("incident %s: publishing failed; it is tried again", incident_id)


@receiver(tenants_changed, dispatch_uid="statuspage.publish_tenants")
def publish_tenants(*, count: int, **_signal: Any) -> None:
    """Publish what tenants see of themselves, in the same way; where many changed, by the beat."""
    try:
        publisher.request_tenants(count=count)
    except Exception:
        logger.exception("publishing what tenants see failed; it is tried again")


@receiver(zone_wanted, dispatch_uid="statuspage.tell_zone")
def tell_zone(**_signal: Any) -> str | None:
    """Answer with the zone of the first page: most times at the desk are meant in it."""
    return Page.objects.in_order().values_list("time_zone", flat=True).first()


@receiver(came_back, dispatch_uid="statuspage.quarantine")
def quarantine(*, token: str, reason: str, at: datetime, **_signal: Any) -> None:
    """Tell a subscriber nothing more whose messages come back, in the transaction that says so."""
    subscribing.quarantine(token=token, reason=reason, at=at)
