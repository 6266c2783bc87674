"""Lines that were not written down outlive their page; so does what was sent without cookies."""

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import Severity, Visibility
from tests.browser.axe import violations
from tests.factories import ResponderFactory, TimelineEntryFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"
PATIENCE = 15_000
KEPT = "(store) => Object.keys(window[store]).filter((name) => name.startsWith('kept:'))"


@pytest.fixture
def ada(chromium: Browser, live_server: LiveServer) -> Iterator[Page]:
    """Sign somebody in whose browser may complain of what is not taken."""
    responder: User = ResponderFactory.create(username="ada")
    responder.set_password(PASSWORD)
    responder.save()
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{live_server.url}/desk/")
    _sign_in(page)
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    yield page
    context.close()


def _sign_in(page: Page) -> None:
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def incident() -> Incident:
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None
    )


@pytest.fixture
def desk(ada: Page, live_server: LiveServer, incident: Incident) -> Page:
    ada.goto(live_server.url + incident.get_absolute_url())
    return ada


def _say(page: Page, line: str) -> None:
    box = page.get_by_label("New entry")
    box.focus()
    page.keyboard.type(line)
    page.keyboard.press("Enter")


def _written(incident: Incident) -> list[str]:
    rows = incident.entries.filter(kind="event", milestone="").order_by("pk")
    return list(rows.values_list("text", flat=True))


def test_a_refused_line_comes_back_as_one_and_the_next_is_another(
    desk: Page, incident: Incident
) -> None:
    box, aside = desk.get_by_label("New entry"), desk.locator("#entry-aside")
    _say(desk, "+5m restart it")
    expect(aside).to_contain_text("+5m is still to come")
    expect(box).to_have_value("+5m restart it")

    desk.reload()

    expect(box).to_have_value("")
    expect(aside).to_contain_text("“+5m restart it”")
    expect(aside).to_contain_text("Not written down at")
    expect(aside).to_contain_text("+5m is still to come")
    assert violations(desk) == []
    _say(desk, "proxy is back")
    expect(desk.locator("#timeline")).to_contain_text("proxy is back")
    assert _written(incident) == ["proxy is back"]

    # Still there; mended, it is dealt with.
    desk.reload()
    aside.get_by_role("button", name="Put it back").click()
    expect(box).to_have_value("+5m restart it")
    # Typed over as a whole it would be another line.
    box.press("Home")
    box.press("Delete")
    desk.keyboard.type("-")
    box.press("Enter")
    expect(desk.locator("#timeline")).to_contain_text("restart it")
    expect(aside).to_be_empty()
    desk.reload()
    expect(desk.locator("#timeline")).to_contain_text("restart it")
    expect(aside).to_be_empty()
    assert desk.evaluate(KEPT, "localStorage") == []


def test_several_stay_with_their_reasons_until_each_is_dealt_with(desk: Page) -> None:
    aside = desk.locator("#entry-aside")
    for line in ("+5m one", "+6m two"):
        _say(desk, line)
        expect(aside).to_contain_text(f"“{line}”")
    # Typed meanwhile, and set aside by what is put back.
    desk.get_by_label("New entry").fill("half a li")
    aside.get_by_role("button", name="Put it back").first.click()

    desk.reload()

    for words in (
        "“+5m one”",
        "+5m is still",
        "“+6m two”",
        "+6m is still",
        "Set aside",
        "“half a li”",
    ):
        expect(aside).to_contain_text(words)
    expect(desk.get_by_label("New entry")).to_have_value("")
    for _each in range(3):
        aside.get_by_role("button", name="Let it go").first.click()
    expect(aside).to_be_empty()
    desk.reload()
    expect(desk.get_by_label("New entry")).to_be_visible()
    expect(aside).to_be_empty()


def test_what_is_being_mended_stays_typed_and_takes_the_place_of_the_refused(
    desk: Page, incident: Incident
) -> None:
    box, aside = desk.get_by_label("New entry"), desk.locator("#entry-aside")
    _say(desk, "restart it *detect")
    expect(aside).to_contain_text("*detect is not known")
    desk.keyboard.press("End")
    desk.keyboard.type("e")
    desk.wait_for_timeout(600)

    desk.reload()
    expect(box).to_have_value("restart it *detecte")
    expect(aside).to_contain_text("“restart it *detect”")
    box.press("End")
    desk.keyboard.type("d")
    desk.keyboard.press("Enter")

    expect(desk.locator("#entry-reading .pill")).to_have_text("Detected")
    expect(aside).to_be_empty()
    assert incident.entries.filter(text="restart it").count() == 1


def test_an_answer_to_a_refusal_is_still_one_behind_a_reload(
    desk: Page, incident: Incident
) -> None:
    first = TimelineEntryFactory.create(incident=incident, milestone="mitigated")
    aside = desk.locator("#entry-aside")
    _say(desk, "it holds *mitigated")
    expect(aside.get_by_role("button", name="mark it here")).to_be_visible()

    desk.reload()
    aside.get_by_role("button", name="mark it here").click()

    expect(desk.locator("#entry-reading .pill")).to_have_text("Mitigated")
    expect(aside).to_be_empty()
    first.refresh_from_db()
    assert first.milestone == ""


def test_a_line_on_its_way_is_not_lost_and_written_once(desk: Page, incident: Incident) -> None:
    arrived: list[str] = []

    def never_answer(route: Route) -> None:
        route.fetch()
        arrived.append(route.request.url)

    desk.route("**/entries/line/**", never_answer)
    _say(desk, "restarted the proxy")
    while not arrived:
        desk.wait_for_timeout(50)

    desk.reload()

    desk.unroute("**/entries/line/**")
    aside = desk.locator("#entry-aside")
    expect(aside).to_contain_text(re.compile("sent again, it is written once", re.IGNORECASE))
    expect(aside).to_contain_text("“restarted the proxy”")
    expect(desk.get_by_label("New entry")).to_have_value("")
    aside.get_by_role("button", name="Put it back").click()
    desk.get_by_label("New entry").press("Enter")
    expect(desk.locator("#entry-reading")).to_contain_text("Written down")
    expect(aside).to_be_empty()
    assert _written(incident) == ["restarted the proxy"]


def test_what_is_dealt_with_in_one_tab_is_so_in_the_other(desk: Page) -> None:
    _say(desk, "+5m restart it")
    expect(desk.locator("#entry-aside")).to_contain_text("+5m is still to come")
    other = desk.context.new_page()
    other.goto(desk.url)
    expect(other.locator("#entry-aside")).to_contain_text("“+5m restart it”")

    other.locator("#entry-aside").get_by_role("button", name="Let it go").click()
    desk.reload()

    expect(desk.get_by_label("New entry")).to_have_value("")
    expect(desk.locator("#entry-aside")).to_be_empty()


def test_whoever_signs_out_leaves_no_line_behind(desk: Page) -> None:
    _say(desk, "+5m restart it")
    expect(desk.locator("#entry-aside")).to_contain_text("+5m is still to come")
    assert desk.evaluate(KEPT, "localStorage") != []

    desk.get_by_role("button", name="Sign out").click()
    desk.wait_for_url("**/desk/login/**")

    assert desk.evaluate(KEPT, "localStorage") == []


def test_what_is_private_stays_in_its_tab(desk: Page, incident: Incident) -> None:
    _say(desk, "+5m restart it")
    expect(desk.locator("#entry-aside")).to_contain_text("+5m is still to come")
    Incident.objects.update(visibility=Visibility.PRIVATE)
    incident.members.add(User.objects.get(username="ada"))

    desk.reload()

    expect(desk.locator("#entry-aside")).to_contain_text("“+5m restart it”")
    assert desk.evaluate(KEPT, "localStorage") == []


def test_an_update_that_was_not_taken_is_kept_and_sent_once_signed_in_again(
    desk: Page, incident: Incident
) -> None:
    desk.get_by_label("Message to customers").fill("We have found the cause.")
    desk.context.clear_cookies()

    desk.get_by_role("button", name="Post update").click()

    expect(desk.get_by_role("heading", name="This was not taken")).to_be_visible()
    expect(desk.get_by_text("What you typed is kept in this browser.")).to_be_visible()
    for width, scheme in ((390, "dark"), (1280, "light")):
        desk.set_viewport_size({"width": width, "height": 800})
        desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert violations(desk) == []
        assert desk.evaluate("document.documentElement.scrollWidth") == width
    desk.get_by_text("What you typed, to copy").click()
    expect(desk.get_by_label("Body")).to_have_value("We have found the cause.")

    desk.get_by_role("link", name="Load the page again, and go on").click()
    _sign_in(desk)
    expect(desk.get_by_label("Message to customers")).to_have_value("We have found the cause.")
    desk.get_by_role("button", name="Post update").click()
    expect(desk.get_by_text("The update is on the status page.")).to_be_visible()
    assert incident.updates.count() == 1


def test_what_renews_itself_says_that_its_page_is_out_of_date(
    desk: Page, incident: Incident
) -> None:
    desk.context.clear_cookies(name="csrftoken")
    box = desk.get_by_label("New entry")
    box.press_sequentially("restarted it")

    word = desk.get_by_role("alert").filter(has_text="This page is out of date")
    expect(word).to_be_visible()
    box.press("Enter")
    expect(desk.locator("#entry-aside")).to_contain_text("This page is out of date")

    word.get_by_role("link", name="Load it again").click()
    expect(desk.locator("#entry-aside")).to_contain_text("“restarted it”")
    expect(desk.get_by_label("New entry")).to_have_value("")
    desk.locator("#entry-aside").get_by_role("button", name="Put it back").click()
    desk.keyboard.press("Enter")
    expect(desk.locator("#timeline")).to_contain_text("restarted it")
    assert _written(incident) == ["restarted it"]


def test_a_second_tab_of_the_sign_in_page_leads_to_the_desk(
    desk: Page, live_server: LiveServer
) -> None:
    other = desk.context.new_page()

    other.goto(f"{live_server.url}{reverse('desk-login')}?next=/desk/actions/")

    expect(other.get_by_role("heading", name="Action items")).to_be_visible()
