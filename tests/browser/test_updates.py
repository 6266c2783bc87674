"""Updates in a real browser: sent from the keys, proposed; whole on a phone and in the dark."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident, MessageTemplate, SeverityRule
from incidents.values import ComponentStatus, ImpactKind, Phase, Severity, UpdateState, When
from tests.browser.axe import violations
from tests.factories import HOUR, MINUTE, ComponentFactory, ResponderFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"


@pytest.fixture
def responder() -> User:
    found: User = ResponderFactory.create()
    found.set_password(PASSWORD)
    found.save()
    return found


@pytest.fixture
def desk(page: Page, live_server: LiveServer, responder: User) -> Page:
    page.goto(f"{live_server.url}/desk/")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    return page


@pytest.fixture
def incident(responder: User) -> Incident:
    tours = ComponentFactory.create()
    found = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=timezone.now() - 3 * HOUR,
        author=responder, components={tours.pk: ComponentStatus.PARTIAL_OUTAGE},
    )  # fmt: skip
    operations.add_entry(
        incident_id=found.pk, text="restarted db-7.internal", when=_ago(20), at=timezone.now(),
        author=responder, tags=["attempt"], outcome="failed",
    )  # fmt: skip
    return found


def _ago(minutes: int) -> When:
    return When(at=timezone.now() - minutes * MINUTE)


def test_an_update_is_sent_without_a_hand_leaving_the_keys(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    desk.goto(live_server.url + incident.get_absolute_url())

    desk.keyboard.press("u")
    desk.keyboard.type("We know what it is.")
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_text("The update is on the status page.")).to_be_visible()
    assert incident.updates.published().get().body == "We know what it is."


def test_a_proposal_keeps_what_was_typed_and_is_filled_in(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    desk.goto(live_server.url + incident.get_absolute_url())
    desk.get_by_label("Message to customers").fill("Good evening.")

    desk.get_by_role("button", name="Propose from what has happened").click()
    body = desk.get_by_label("Message to customers")
    expect(body).to_have_value(_starts("Good evening."))
    desk.get_by_role("button", name="Post update").click()
    expect(desk.get_by_text("This still holds")).to_be_visible()
    for field in desk.locator(".blanks input").all():
        field.fill("something")
    desk.get_by_role("button", name="Post update").click()

    expect(desk.get_by_text("The update is on the status page.")).to_be_visible()
    said = incident.updates.published().get().body
    assert "We tried something, and it did not help." in said
    assert "db-7" not in said


def _starts(words: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(words)}")


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "phone-dark"])
def looked_at(desk: Page, request: pytest.FixtureRequest) -> Page:
    width, scheme = request.param
    desk.set_viewport_size({"width": width, "height": 900})
    desk.emulate_media(color_scheme=scheme)
    return desk


def test_every_page_is_whole_and_accessible(
    looked_at: Page, live_server: LiveServer, incident: Incident, responder: User
) -> None:
    page = looked_at
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
    MessageTemplate.objects.create(kind="update", name="Down", body="Down since [time].")
    own = operations.post_status_update(
        incident_id=incident.pk, body="We are on it.", phase=Phase.IDENTIFIED, at=timezone.now(),
        author=responder,
    )  # fmt: skip
    operations.draft_status_update(
        incident_id=incident.pk, body="Later.", phase=Phase.MONITORING, at=timezone.now(),
        author=None, author_label="Restore 4",
    )  # fmt: skip
    impact = operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.OUTAGE, began_at=timezone.now() - HOUR,
        at=timezone.now(), author=None,
    )  # fmt: skip
    operations.reset_rules(at=timezone.now(), author=responder)
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)

    for name, pk in (
        ("incident-detail", incident.pk),
        ("update-propose", incident.pk),
        ("draft-edit", own.pk),
        ("update-unapproved", own.pk),
        ("impact-edit", impact.pk),
        ("rules", None),
    ):
        address = reverse(f"incidents:{name}", args=[] if pk is None else [pk])
        page.goto(live_server.url + address)
        assert violations(page) == [], name
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), name
    assert own.state == UpdateState.IN_REVIEW
