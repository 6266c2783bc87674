"""What the desk says of promises and impacts, on the page: no more, and no less."""

from datetime import timedelta
from pathlib import Path

import pytest

from incidents import operations
from incidents.models import Incident, SeverityRule
from incidents.values import (
    ComponentStatus,
    Confidence,
    ImpactKind,
    Phase,
    PromiseKind,
    Severity,
    When,
)
from statuspage import publisher
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db


def publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


@pytest.fixture
def incident(public_root: Path) -> Incident:
    return operations.declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None, body="We know."
    )


def test_how_sure_people_are_is_said_in_words(incident: Incident, visitor: Visitor) -> None:
    operations.make_promise(
        incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + 3 * HOUR), at=NOON,
        author=None, basis="the copy", confidence=Confidence.LOW,
    )  # fmt: skip
    publish()

    page = visitor.get("/").text
    assert "(the copy, a rough guess)" in page

    operations.make_promise(
        incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + 3 * HOUR), at=NOON,
        author=None, basis="the copy", confidence=Confidence.HIGH,
    )  # fmt: skip
    publish(MINUTE)
    assert "(the copy, quite sure)" in visitor.get("/").text


def test_what_one_tenant_went_without_is_on_no_page(incident: Incident, visitor: Visitor) -> None:
    tenant = operations.register_tenant(key="main:acme", name="Zzacme Zoo", at=NOON)
    operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.DATA_LOST, began_at=NOON, at=NOON, author=None,
        data_from_at=NOON - HOUR, tenant_id=tenant.pk,
    )  # fmt: skip
    publish()

    page = visitor.get(f"/incidents/{incident.public_id}").text
    assert "are lost" not in page
    assert "Zzacme" not in page


def test_what_waits_for_approval_is_on_no_page(incident: Incident, visitor: Visitor) -> None:
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
    author, approver = ResponderFactory.create(), ResponderFactory.create(username="other")
    update = operations.post_status_update(
        incident_id=incident.pk, body="Zzwaits.", phase=Phase.IDENTIFIED, at=NOON, author=author,
        eta=When(at=NOON + 3 * HOUR), eta_basis="Zzcopy",
    )  # fmt: skip
    publish(MINUTE)

    page = visitor.get(f"/incidents/{incident.public_id}").text
    assert "Zz" not in page
    assert "Identified" not in page

    operations.approve_update(update_id=update.pk, at=NOON + 2 * MINUTE, approver=approver)
    publish(3 * MINUTE)
    page = visitor.get(f"/incidents/{incident.public_id}").text
    assert "Zzwaits." in page
    assert "Zzcopy" in page
    assert "Robin" not in page


def test_a_reopening_never_leaves_a_page_on_which_all_works(
    public_root: Path, visitor: Visitor
) -> None:
    tours = operations.add_component(name="Tours", at=NOON - HOUR)
    incident = operations.declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None, body="We know.",
        components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
    )  # fmt: skip
    operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=None)
    publish(HOUR)
    assert visitor.get("/api/v2/status.json").json["status"]["indicator"] == "none"

    operations.reopen_incident(
        incident_id=incident.pk, reason="again", at=NOON + 2 * HOUR, author=None
    )
    publish(2 * HOUR)

    assert visitor.get("/api/v2/status.json").json["status"]["indicator"] == "critical"
    assert "All Systems Operational" not in visitor.get("/").text
