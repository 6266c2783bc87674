"""Updates in a real browser: sent from the keys, proposed; whole on a phone and in the dark."""

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect
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


# CSS pixels: a phone held upright, and what a thumb hits.
PHONE = ViewportSize(width=390, height=844)
THUMB = 44


@pytest.fixture
def phone(chromium: Browser, live_server: LiveServer, responder: User) -> Iterator[Page]:
    """Give a phone with a finger on it."""
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(f"{live_server.url}/desk/")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    yield page
    context.close()


def test_an_update_is_within_a_screen_and_a_half_of_a_phone(
    phone: Page, live_server: LiveServer, incident: Incident
) -> None:
    MessageTemplate.objects.create(kind="update", name="Down", body="Down since [time].")
    for name in ("Uploads", "Floor plans"):
        incident.components.add(ComponentFactory.create(name=name))
    phone.goto(live_server.url + incident.get_absolute_url())
    form = phone.locator("#update")

    top = form.bounding_box()
    post = form.get_by_role("button", name="Post update").bounding_box()
    assert top is not None
    assert post is not None
    assert post["height"] >= THUMB
    assert post["y"] + post["height"] - top["y"] <= PHONE["height"] * 1.5
    for within in ("#update_phase", "#update_body", "[id^=update_component]"):
        box = form.locator(within).first.bounding_box()
        assert box is not None
        assert box["y"] < post["y"]

    # What is folded is said, and says what is typed into it.
    fold = form.locator("[data-next] > summary")
    expect(fold).to_have_text("They hear next: within 10 min")
    fold.tap()
    form.get_by_label("Next update within, in minutes").fill("25")
    fold.tap()
    expect(fold).to_have_text("They hear next: within 25 min")
    form.locator("summary", has_text="More").tap()
    expect(form.get_by_role("button", name="Save as draft")).to_be_visible()
    assert violations(phone) == []


def test_the_deeds_of_an_entry_are_for_thumbs(
    phone: Page, live_server: LiveServer, incident: Incident
) -> None:
    phone.goto(live_server.url + incident.get_absolute_url())

    deeds = phone.locator(".entry", has_text="restarted db-7").locator(
        ".entry__deeds > *, .tag--switch"
    )
    expect(deeds).to_have_count(5)
    for deed in deeds.all():
        box = deed.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= THUMB, deed.inner_text()


def test_the_rules_are_whole_on_a_phone(phone: Page, live_server: LiveServer) -> None:
    phone.goto(live_server.url + reverse("incidents:rules"))

    for field in phone.locator(".rules input").all():
        box = field.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    # Each severity is named once; what its fields are is said beside them.
    rules = phone.locator(".rules")
    for severity in Severity:
        expect(rules.get_by_text(str(severity.label), exact=True)).to_have_count(1)
    expect(rules.get_by_text("Long incident, minutes").first).to_be_visible()
    assert violations(phone) == []


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
        ("cause-add", incident.pk),
        ("rules", None),
    ):
        address = reverse(f"incidents:{name}", args=[] if pk is None else [pk])
        page.goto(live_server.url + address)
        assert violations(page) == [], name
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), name
    assert own.state == UpdateState.IN_REVIEW


@pytest.mark.parametrize("width", [390, 1280])
def test_what_came_of_an_update_is_in_sight(
    desk: Page, live_server: LiveServer, incident: Incident, width: int
) -> None:
    SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
    desk.set_viewport_size({"width": width, "height": 800})
    desk.goto(live_server.url + incident.get_absolute_url())
    desk.get_by_label("Message to customers").fill("We know what it is.")
    desk.get_by_role("button", name="Hand in for approval").click()

    word = desk.get_by_role("status").filter(has_text="The update waits for approval by")
    expect(word).to_be_in_viewport(ratio=1)
    expect(desk.locator("#update h2")).to_be_in_viewport()
    assert violations(desk) == []
    word.get_by_role("button", name="Close").click()
    expect(word).to_have_count(0)


def test_what_is_needed_first_is_in_sight(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    operations.post_status_update(
        incident_id=incident.pk, body="We look.", phase=Phase.IDENTIFIED, at=timezone.now(),
        author=None,
    )  # fmt: skip
    desk.goto(live_server.url + incident.get_absolute_url())

    # Wide: what sends the form, for whoever writes; and one row of ways.
    desk.keyboard.press("u")
    expect(desk.get_by_role("button", name="Post update")).to_be_in_viewport(ratio=1)
    expect(desk.get_by_role("link", name="Public page")).to_be_visible()
    ways = desk.locator(".subnav").bounding_box()
    assert ways is not None
    assert ways["height"] < 48

    # On a phone: the line, before what was and how long it took.
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.reload()
    box = desk.get_by_label("New entry")
    expect(box).to_be_in_viewport(ratio=1)
    line, figures = box.bounding_box(), desk.locator(".head__figures").bounding_box()
    assert line is not None
    assert figures is not None
    assert line["y"] < figures["y"]
    assert violations(desk) == []
