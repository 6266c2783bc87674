"""What the pages do for the record: publish each change at once, and say which zone is theirs."""

import logging
from typing import Any

from django.dispatch import receiver

from incidents.signals import public_state_changed, tenants_changed, zone_wanted
from statuspage import publisher
from statuspage.models import Page

logger = logging.getLogger(__name__)


@receiver(public_state_changed, dispatch_uid="statuspage.publish_change")
def publish_change(*, incident_id: int | None, **_signal: Any) -> None:
    """Publish in the process that made the change: no broker, no worker.

    A failure is the page's, not the poster's: what was posted is in the database, the request
    to publish stays on record, and the beat's next publish makes up for it.
    """
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
