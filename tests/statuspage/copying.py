"""What the tests of copies share: a page with a past, and what changes it."""

from datetime import datetime

from incidents import operations
from incidents.models import Incident
from incidents.values import Severity, Visibility
from statuspage import publisher
from statuspage.models import Page
from tests.factories import HOUR, MINUTE, NOON

OLD = "The provider deleted our disks."


def published_page() -> Page:
    """Publish a page with one incident that is over and one that is open; return it."""
    over = declare("Tours do not open", at=NOON - 5 * HOUR)
    operations.resolve_incident(incident_id=over.pk, body=OLD, at=NOON - 4 * HOUR, author=None)
    declare("Uploads hang")
    publish()
    return Page.objects.get()


def declare(title: str, at: datetime = NOON) -> Incident:
    return operations.declare_incident(
        title=title, severity=Severity.SEV2, at=at, author=None, body="We look into it."
    )


def publish(at: datetime = NOON) -> None:
    publisher.publish_now(now=lambda: at)


def withdraw(incident: Incident) -> None:
    operations.edit_incident(
        incident_id=incident.pk, title=incident.title, summary="",
        severity=Severity(incident.severity), visibility=Visibility.INTERNAL, at=NOON + MINUTE,
        author=None,
    )  # fmt: skip
    publisher.request_publish(incident.pk, now=lambda: NOON + MINUTE)
