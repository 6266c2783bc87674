"""People, the handover page and other incidents: on a phone, in the dark, by keyboard, on paper."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import ImpactKind, Role, RoleReason, Severity, Visibility, When
from tests.browser.axe import violations
from tests.factories import HOUR, MINUTE, ProgressReportFactory, ResponderFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


@pytest.fixture
def sam() -> User:
    return ResponderFactory.create(username="sam", first_name="Sam", last_name="Second")


@pytest.fixture
def desk(page: Page, live_server: LiveServer, robin: User) -> Page:
    client = Client()
    client.force_login(robin)
    page.context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "url": live_server.url,
            }
        ]
    )
    return page


@pytest.fixture
def incident(robin: User, sam: User) -> Incident:
    """Give an incident that has lasted for a night, and has changed hands."""
    now = timezone.now()
    began = now - 10 * HOUR
    incident = operations.declare_incident(
        title="Tours do not open",
        severity=Severity.SEV1,
        at=began,
        author=sam,
        body="Tours do not open. We are bringing the data back.",
        tz="Europe/Amsterdam",
    )
    for text, tags, outcome in (
        ("Restarted the cluster, it failed again", ["attempt"], "failed"),
        ("The copy goes through the caching proxy", ["attempt"], "worked"),
        ("We restore the older backup first", ["decision"], ""),
        ("Is the log of Friday complete?", ["question"], ""),
    ):
        operations.add_entry(
            incident_id=incident.pk,
            text=text,
            when=When(at=began + HOUR),
            at=began + HOUR,
            author=sam,
            tags=tags,
            outcome=outcome,
        )
    operations.record_impact(
        incident_id=incident.pk,
        kind=ImpactKind.DATA_UNAVAILABLE,
        began_at=began,
        data_from_at=began - 60 * HOUR,
        at=began,
        author=sam,
    )
    ProgressReportFactory.create(
        incident=incident,
        title="Restore of main",
        heartbeat_at=now,
        started_at=began,
        eta_low_at=now + 3 * HOUR,
        eta_high_at=now + 5 * HOUR,
    )
    operations.hand_over(
        incident_id=incident.pk,
        assignment_ids=[incident.roles.get().pk],
        holder=robin,
        at=now - 9 * HOUR + MINUTE,
        author=sam,
        reason=RoleReason.FATIGUE,
        handover="Do not touch the proxy. Wake me only if the copy stops.",
        resting_until_at=now + HOUR,
    )
    return incident


def _around(incident: Incident, robin: User) -> list[str]:
    """Return the pages on people and other incidents, of a public and of a private one."""
    private = operations.declare_incident(
        title="A key has leaked",
        severity=Severity.SEV2,
        at=timezone.now(),
        author=robin,
        visibility=Visibility.PRIVATE,
        parent_id=incident.pk,
    )
    role = incident.roles.get(until_at=None)
    return [
        incident.get_absolute_url(),
        private.get_absolute_url(),
        reverse("incidents:incident-handover", args=[incident.pk]),
        reverse("incidents:incident-handover", args=[private.pk]),
        reverse("incidents:role-leave", args=[role.pk]),
        reverse("incidents:role-correct", args=[role.pk]),
        reverse("incidents:parent-set", args=[incident.pk]),
        reverse("incidents:duplicate-mark", args=[incident.pk]),
        reverse("incidents:incident-declare") + f"?parent={incident.pk}",
    ]


def test_are_fit_for_a_phone_and_for_axe(
    desk: Page, live_server: LiveServer, incident: Incident, robin: User
) -> None:
    faults: list[str] = []
    for address in _around(incident, robin):
        desk.goto(live_server.url + address)
        for width, scheme in ((390, "dark"), (1280, "light")):
            desk.set_viewport_size({"width": width, "height": 900})
            desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            faults += [f"{address} {width} {scheme}: {fault}" for fault in violations(desk)]
            wide = desk.evaluate("document.documentElement.scrollWidth")
            faults += [f"{address} is {wide} wide"] if wide > width else []

    assert faults == []


def test_everything_is_handed_over_by_keyboard(
    desk: Page, live_server: LiveServer, incident: Incident, sam: User
) -> None:
    desk.goto(live_server.url + reverse("incidents:incident-handover", args=[incident.pk]))
    expect(desk.get_by_label("Incident commander (Robin Responder)")).to_be_checked()

    desk.get_by_label("To", exact=True).focus()
    desk.keyboard.type("Sam")
    desk.get_by_label("What whoever comes next must know").focus()
    desk.keyboard.type("All is copied.")
    desk.get_by_role("button", name="Hand over").focus()
    desk.keyboard.press("Enter")

    expect(desk.get_by_text("Sam Second has it now.")).to_be_visible()
    expect(desk.get_by_text("All is copied.").first).to_be_visible()
    assert incident.roles.get(role=Role.COMMANDER, until_at=None).holder == sam


def test_paper_has_the_state_and_no_form(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    desk.goto(live_server.url + reverse("incidents:incident-handover", args=[incident.pk]))
    desk.emulate_media(media="print")

    expect(desk.get_by_text("Do not touch the proxy.").first).to_be_visible()
    expect(desk.get_by_role("button", name="Hand over")).to_be_hidden()
    expect(desk.get_by_role("navigation", name="Desk")).to_be_hidden()
