"""What the page never shows: private incidents and drills. And what is part of something."""

from typing import Any

import pytest

from accounts.models import User
from incidents import operations
from incidents.models import Component, Incident
from incidents.values import ComponentStatus, IncidentKind, Severity, Visibility
from notifications.models import Delivery
from statuspage import publisher
from statuspage.deliveries import queue_deliveries
from statuspage.models import Announcement
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

SECRET = "A key has leaked"
KEPT_APART = pytest.mark.parametrize(
    "kept_apart",
    [{"visibility": Visibility.PRIVATE}, {"kind": IncidentKind.DRILL}],
    ids=["private", "drill"],
)


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


def _declare(title: str, **more: Any) -> Incident:
    arguments: dict[str, Any] = {
        "title": title,
        "severity": Severity.SEV1,
        "at": NOON,
        "author": None,
        "body": "We are looking into it.",
    }
    return operations.declare_incident(**arguments | more)


def _edit(incident: Incident, visibility: Visibility) -> None:
    operations.edit_incident(
        incident_id=incident.pk,
        title=incident.title,
        summary="",
        severity=Severity.SEV1,
        visibility=visibility,
        at=NOON + 2 * MINUTE,
        author=None,
    )


def _everything(visitor: Visitor) -> str:
    addresses = (
        "/", "/live", "/history", "/uptime", "/history.atom", "/api/v2/summary.json",
        "/api/v2/incidents.json", "/api/v2/incidents/unresolved.json",
        "/api/v2/components.json", "/api/v2/status.json",
    )  # fmt: skip
    return "".join(visitor.get(address).text for address in addresses)


@KEPT_APART
class TestKeptApart:
    def test_no_document_has_it(
        self,
        visitor: Visitor,
        page_root: object,
        robin: User,
        tours: Component,
        kept_apart: dict[str, str],
    ) -> None:
        incident = _declare(
            SECRET,
            author=robin,
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
            **kept_apart,
        )
        publisher.publish_now(now=lambda: NOON + MINUTE)

        shown = _everything(visitor)

        assert SECRET not in shown
        assert incident.public_id not in shown
        (part,) = visitor.get("/api/v2/components.json").json["components"]
        assert part["status"] == ComponentStatus.OPERATIONAL
        assert "We are looking into it." not in shown
        assert visitor.get(f"/incidents/{incident.public_id}").status == 404

    def test_nobody_who_follows_hears_of_it(
        self, page_root: object, robin: User, kept_apart: dict[str, str]
    ) -> None:
        _declare(SECRET, author=robin, **kept_apart)

        assert queue_deliveries(at=NOON + MINUTE) == 0
        assert not Announcement.objects.exists()
        assert not Delivery.objects.exists()


def test_what_becomes_private_goes_off_the_page(visitor: Visitor, page_root: object) -> None:
    incident = _declare(SECRET)
    publisher.publish_now(now=lambda: NOON + MINUTE)
    assert SECRET in visitor.get("/").text

    _edit(incident, Visibility.PRIVATE)
    publisher.publish_now(now=lambda: NOON + 3 * MINUTE)

    assert SECRET not in _everything(visitor)


class TestParts:
    def test_the_page_of_a_part_leads_to_the_whole(
        self, visitor: Visitor, page_root: object
    ) -> None:
        whole = _declare("Nothing works")
        part = _declare("Exports fail", parent_id=whole.pk)
        publisher.publish_now(now=lambda: NOON + MINUTE)

        page = visitor.get(f"/incidents/{part.public_id}").text

        link = f'<a href="/incidents/{whole.public_id}"><bdi>Nothing works</bdi></a>'
        assert f"Part of {link}" in page

    def test_only_while_customers_may_know_of_that(
        self, visitor: Visitor, page_root: object
    ) -> None:
        whole = _declare("Nothing works")
        part = _declare("Exports fail", parent_id=whole.pk)
        operations.resolve_incident(
            incident_id=part.pk, body="Over.", at=NOON + MINUTE, author=None
        )
        publisher.publish_now(now=lambda: NOON + MINUTE)
        assert "Nothing works" in visitor.get(f"/incidents/{part.public_id}").text

        _edit(whole, Visibility.PRIVATE)
        publisher.publish_now(now=lambda: NOON + HOUR)

        page = visitor.get(f"/incidents/{part.public_id}")
        assert page.status == 200
        assert "Nothing works" not in page.text
