"""What happens when something that customers may see has changed: it is published, at once."""

import logging
from typing import Any

from django.dispatch import receiver

from incidents.signals import public_state_changed, tenants_changed
from statuspage import publisher

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
