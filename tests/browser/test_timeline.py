"""The timeline in real browsers: two people at once, a lost line, the keyboard alone."""

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident, TimelineEntry
from incidents.values import Severity
from tests.browser.axe import violations
from tests.factories import ResponderFactory, TimelineEntryFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"
# Milliseconds in which an entry is on the screen of everybody else, and a patience beyond that for
# a machine that does other things.
SOON, PATIENCE = 2_000, 15_000


def _sign_in(page: Page, server: LiveServer, username: str) -> Page:
    responder: User = ResponderFactory.create(
        username=username, first_name=username.capitalize(), last_name=""
    )
    responder.set_password(PASSWORD)
    responder.save()
    page.goto(f"{server.url}/desk/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    return page


@pytest.fixture
def ada(page: Page, live_server: LiveServer) -> Page:
    return _sign_in(page, live_server, "ada")


@pytest.fixture
def ben(chromium: Browser, live_server: LiveServer) -> Iterator[Page]:
    """Give a second person a browser of their own, whose console may complain of a lost line."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield _sign_in(context.new_page(), live_server, "ben")
    context.close()


@pytest.fixture
def incident() -> Incident:
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None
    )


def _open(page: Page, server: LiveServer, incident: Incident) -> Page:
    page.goto(server.url + incident.get_absolute_url())
    return page


def test_an_entry_is_with_everybody_at_once_and_disturbs_nobody(
    ada: Page, ben: Page, live_server: LiveServer, incident: Incident
) -> None:
    for number in range(40):
        TimelineEntryFactory.create(incident=incident, text=f"Earlier {number}")
    _open(ada, live_server, incident)
    _open(ben, live_server, incident)

    # Ben reads further down, has an explanation open, and is in the middle of an update.
    ben.get_by_text("How to write it").click()
    message = ben.get_by_label("Message to customers")
    message.fill("Half of it is")
    row = ben.locator(".entry", has_text="Earlier 3").first
    row.get_by_role("link", name="Edit this entry").focus()
    row.evaluate("(row) => { row.dataset.witness = 'the same'; }")
    top = row.bounding_box()
    assert top is not None

    ada.keyboard.press("n")
    ada.keyboard.type("-5m restarted the proxy #attempt !failed")
    ada.keyboard.press("Enter")

    expect(ben.locator("#timeline")).to_contain_text("restarted the proxy", timeout=SOON)
    expect(ada.locator("#timeline")).to_contain_text("restarted the proxy", timeout=SOON)
    # Nothing was loaded anew: the row is the very same, in its place, and has the focus.
    assert row.get_attribute("data-witness") == "the same"
    expect(row.get_by_role("link", name="Edit this entry")).to_be_focused()
    now = row.bounding_box()
    assert now is not None
    assert abs(now["y"] - top["y"]) < 3
    expect(message).to_have_value("Half of it is")
    expect(ben.locator("#entry-help")).to_have_attribute("open", "")


def test_the_box_is_free_for_the_next_line_at_once(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    # Answers are slow; fingers are not.
    ada.route("**/entries/line/**", lambda route: _later(ada, route))
    box = ada.get_by_label("New entry")
    box.focus()

    for line in ("first line", "second line", "third line"):
        ada.keyboard.type(line)
        ada.keyboard.press("Enter")
    ada.keyboard.type("half a li")

    expect(ada.locator("#timeline")).to_contain_text("third line", timeout=PATIENCE)
    expect(box).to_be_focused()
    expect(box).to_have_value("half a li")
    texts = incident.entries.filter(text__endswith=" line").order_by("pk")
    assert [entry.text for entry in texts] == ["first line", "second line", "third line"]


def _later(page: Page, route: Route) -> None:
    page.wait_for_timeout(300)
    route.continue_()


def test_a_line_that_is_refused_comes_back_with_a_way_out(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    box = ada.get_by_label("New entry")

    box.fill("+5m restart it")
    box.press("Enter")
    expect(ada.locator("#entry-aside")).to_contain_text("+5m is still to come")
    expect(box).to_have_value("+5m restart it")
    expect(box).to_be_focused()


def test_why_a_line_came_back_is_not_talked_over(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    """The line can be read, and is refused only when it is written: there is one such milestone."""
    TimelineEntryFactory.create(incident=incident, milestone="mitigated")
    _open(ada, live_server, incident)
    box = ada.get_by_label("New entry")

    # Faster than the line is read while it is typed.
    box.fill("it holds *mitigated")
    box.press("Enter")
    expect(ada.locator("#entry-aside .write__refusal")).to_be_visible()
    ada.wait_for_timeout(1_000)
    expect(ada.locator("#entry-aside .write__refusal")).to_be_visible()
    expect(box).to_have_value("it holds *mitigated")

    box.fill("it holds")
    expect(ada.locator("#entry-reading .write__read")).to_contain_text("it holds")


def test_what_is_typed_after_a_refusal_is_another_line_and_the_refused_one_is_kept(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    box, aside = ada.get_by_label("New entry"), ada.locator("#entry-aside")
    ada.keyboard.press("n")

    ada.keyboard.type("+5m restart it")
    ada.keyboard.press("Enter")
    expect(ada.locator("#entry-aside")).to_contain_text("+5m is still to come")
    ada.keyboard.type("proxy is back")
    expect(box).to_have_value("proxy is back")
    expect(aside).to_contain_text("Not written down: “+5m restart it”")
    ada.keyboard.press("Enter")
    expect(ada.locator("#timeline")).to_contain_text("proxy is back", timeout=PATIENCE)

    # Taken back while something else is typed, neither is lost.
    expect(aside).to_contain_text("+5m restart it")
    ada.keyboard.type("half a li")
    aside.get_by_role("button", name="Put it back").click()
    expect(box).to_have_value("+5m restart it")
    expect(aside).to_contain_text("Set aside: “half a li”")
    aside.get_by_role("button", name="Let it go").last.click()
    expect(aside).not_to_contain_text("half a li")
    aside.get_by_role("button", name="Let it go").click()
    expect(aside).to_be_empty()
    expect(box).to_have_value("")
    assert [entry.text for entry in incident.entries.filter(kind="event", milestone="")] == [
        "proxy is back"
    ]


def test_a_refused_line_is_mended_where_it_stands(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    ada.keyboard.press("n")
    ada.keyboard.type("restart it *detect")
    ada.keyboard.press("Enter")
    expect(ada.locator("#entry-aside")).to_contain_text("*detect is not known")

    ada.keyboard.press("End")
    ada.keyboard.type("ed")
    expect(ada.get_by_label("New entry")).to_have_value("restart it *detected")
    ada.keyboard.press("Enter")
    expect(ada.locator("#entry-aside")).to_be_empty()
    expect(ada.locator("#entry-reading")).to_contain_text("Written down")
    expect(ada.locator("#entry-reading .pill")).to_have_text("Detected")


def test_several_lines_that_are_refused_while_others_are_typed_all_stay(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    ada.route("**/entries/line/**", lambda route: _later(ada, route))
    ada.keyboard.press("n")
    for line in ("+5m one", "+6m two"):
        ada.keyboard.type(line)
        ada.keyboard.press("Enter")
    ada.keyboard.type("half a li")

    aside = ada.locator("#entry-aside")
    expect(aside).to_contain_text("“+5m one”", timeout=PATIENCE)
    expect(aside).to_contain_text("“+6m two”", timeout=PATIENCE)
    expect(ada.get_by_label("New entry")).to_have_value("half a li")


def test_a_refusal_stays_whatever_is_sent_behind_it(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)
    ada.route("**/entries/line/**", lambda route: _later(ada, route))
    ada.keyboard.press("n")
    for line in ("+5m one", "second line"):
        ada.keyboard.type(line)
        ada.keyboard.press("Enter")
    expect(ada.locator("#entry-reading")).to_contain_text("Written down", timeout=PATIENCE)
    expect(ada.locator("#entry-reading")).to_contain_text("second line")

    aside = ada.locator("#entry-aside")
    expect(aside).to_contain_text("“+5m one”")
    expect(aside).to_contain_text("+5m is still to come")
    assert violations(ada) == []


def test_a_time_that_came_twice_is_answered_after_enter_too(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    Incident.objects.filter(pk=incident.pk).update(tz="Europe/Amsterdam")
    _open(ada, live_server, incident)
    ada.keyboard.press("n")
    ada.keyboard.type("2025-10-26 02:15-02:45 it was slow #db")
    ada.keyboard.press("Enter")
    aside = ada.locator("#entry-aside")
    expect(aside).to_contain_text("02:15 came twice")
    # The next line is typed over it meanwhile.
    ada.keyboard.type("half a li")

    aside.get_by_role("button", name="2025-10-26 00:15 - 2025-10-26 01:45 UTC").click()
    expect(ada.locator("#timeline")).to_contain_text("it was slow", timeout=PATIENCE)
    expect(aside).to_be_empty()
    expect(ada.get_by_label("New entry")).to_have_value("half a li")
    entry = incident.entries.get(text="it was slow")
    assert entry.at is not None
    assert entry.until is not None
    assert f"{entry.at:%H:%M}-{entry.until:%H:%M}" == "00:15-01:45"


def test_a_milestone_is_moved_from_where_it_stands(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    first = TimelineEntryFactory.create(
        incident=incident, milestone="mitigated", text="Half of it works"
    )
    _open(ada, live_server, incident)
    box = ada.get_by_label("New entry")

    # It is said before Enter, and answered behind it.
    box.press_sequentially("it holds *mitigated")
    expect(ada.locator("#entry-reading")).to_contain_text("Half of it works")
    box.press("Enter")
    aside = ada.locator("#entry-aside")
    expect(aside.get_by_role("link", name="Look at it")).to_be_visible()
    aside.get_by_role("button", name="mark it here").click()

    expect(ada.locator("#entry-reading .pill")).to_have_text("Mitigated")
    expect(aside).to_be_empty()
    first.refresh_from_db()
    assert first.milestone == ""
    assert incident.entries.get(text="it holds").milestone == "mitigated"


def test_two_people_edit_the_same_entry_and_nothing_is_lost(
    ada: Page, ben: Page, live_server: LiveServer, incident: Incident
) -> None:
    entry = TimelineEntryFactory.create(incident=incident, text="Restarted the proxy")
    address = live_server.url + reverse("incidents:entry-edit", args=[entry.pk])
    ada.goto(address)
    ben.goto(address)

    ada.get_by_label("What happened").fill("Restarted both proxies")
    ada.get_by_label("Tags").fill("proxy")
    ada.get_by_role("button", name="Save").click()
    expect(ada.get_by_text("The entry is changed.")).to_be_visible()

    ben.get_by_label("What happened").fill("Restarted the proxy twice")
    ben.get_by_role("button", name="Save").click()
    conflict = ben.get_by_role("alert").filter(has_text="changed this entry meanwhile")
    expect(conflict).to_contain_text("Ada")
    expect(conflict.locator("ins", has_text="proxies").first).to_be_visible()
    expect(ben.get_by_label("What happened")).to_have_value("Restarted the proxy twice")
    expect(ben.get_by_label("Tags")).to_have_value("proxy")
    assert violations(ben) == []

    ben.get_by_role("button", name="Save mine over it").click()
    expect(ben.get_by_text("The entry is changed.")).to_be_visible()
    entry.refresh_from_db()
    assert (entry.text, entry.tags) == ("Restarted the proxy twice", ["proxy"])

    # And back: what Ada wrote is still there.
    ben.goto(address)
    ben.get_by_role("button", name="Bring back what it said before this").first.click()
    expect(ben.locator(".entry", has_text="Restarted both proxies")).to_be_visible()


def test_what_is_typed_outlives_the_page_and_the_line(
    ben: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ben, live_server, incident)
    ben.get_by_label("Message to customers").fill("We have found the cause.")
    ben.get_by_label("Phase").select_option("identified")
    ben.get_by_label("New entry").fill("half a line")
    # It is kept a moment after the last key.
    ben.wait_for_timeout(600)

    _open(ben, live_server, incident)
    form = ben.locator("#update form").first
    expect(form.get_by_text("Restored what you typed at")).to_be_visible()
    expect(ben.get_by_label("Message to customers")).to_have_value("We have found the cause.")
    expect(ben.get_by_label("Phase")).to_have_value("identified")
    expect(ben.get_by_label("New entry")).to_have_value("half a line")

    # The line is lost: nothing is sent, the page stays, and says so.
    ben.route("**/healthz", lambda route: route.abort())
    ben.get_by_role("button", name="Post update").click()
    expect(form.get_by_text("No answer from the desk. Nothing was sent")).to_be_visible()
    expect(ben.get_by_label("Message to customers")).to_have_value("We have found the cause.")

    ben.unroute("**/healthz")
    ben.get_by_role("button", name="Post update").click()
    expect(ben.locator(".entry", has_text="We have found the cause.")).to_be_visible()
    # Sent, it is kept no longer; what was not, is.
    _open(ben, live_server, incident)
    expect(ben.get_by_label("Message to customers")).to_have_value("")
    expect(ben.get_by_label("New entry")).to_have_value("half a line")

    ben.locator("#entry").get_by_role("button", name="Discard").click()
    expect(ben.get_by_label("New entry")).to_have_value("")
    _open(ben, live_server, incident)
    expect(ben.get_by_label("New entry")).to_have_value("")


def test_a_line_that_could_not_be_sent_is_given_back_and_written_once(
    ben: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ben, live_server, incident)
    box = ben.get_by_label("New entry")

    # It arrives, and the answer is lost on the way back.
    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    ben.route("**/entries/line/**", swallow)
    box.fill("restarted the proxy")
    box.press("Enter")
    expect(ben.locator("#entry-aside")).to_contain_text("No answer from the desk")
    expect(box).to_have_value("restarted the proxy")

    ben.unroute("**/entries/line/**")
    box.press("Enter")
    expect(box).to_have_value("")
    expect(ben.locator("#entry-reading")).to_contain_text("Written down")
    assert incident.entries.filter(text="restarted the proxy").count() == 1


def test_ten_megabytes_are_refused_before_they_are_pasted(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)

    ada.get_by_label("New entry").evaluate(
        """(box) => {
          const data = new DataTransfer();
          data.setData("text/plain", "x".repeat(10_000_000));
          box.dispatchEvent(new ClipboardEvent("paste", {
            clipboardData: data, bubbles: true, cancelable: true,
          }));
        }"""
    )

    word = ada.locator("#entry .kept")
    expect(word).to_contain_text("That is 10,000,000 characters; this field takes 4,000.")
    expect(ada.get_by_label("New entry")).to_have_value("")


def test_the_timeline_is_worked_by_keyboard_alone(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(ada, live_server, incident)

    def press(name: str) -> None:
        entry = ada.locator(".entry", has_text="restarted the proxy")
        entry.get_by_role("button", name=name).focus()
        ada.keyboard.press("Enter")

    ada.keyboard.press("n")
    ada.keyboard.type("restarted the proxy")
    ada.keyboard.press("Enter")
    expect(ada.locator(".entry", has_text="restarted the proxy")).to_be_visible()

    # Shown to customers and kept from them again, pinned, deleted and brought back.
    press("this entry may be told to customers")
    undo = ada.locator("#entry-undo")
    expect(undo).to_contain_text("May be told to customers")
    undo.get_by_role("button", name="Undo").focus()
    ada.keyboard.press("Enter")
    expect(undo).to_contain_text("For staff only")
    press("Pin this entry")
    expect(ada.locator("#pinned")).to_contain_text("restarted the proxy")
    expect(
        ada.locator(".entry", has_text="restarted the proxy").get_by_role(
            "button", name="Unpin this entry"
        )
    ).to_be_focused()
    press("Delete this entry")
    expect(ada.locator(".entry", has_text="restarted the proxy")).to_have_count(0)
    undo.get_by_role("button", name="Undo").focus()
    ada.keyboard.press("Enter")
    expect(ada.locator(".entry", has_text="restarted the proxy")).to_be_visible()

    entry = TimelineEntry.objects.get(text="restarted the proxy")
    assert (entry.is_public, entry.is_pinned, entry.deleted_at) == (False, True, None)


def test_the_readers_zone_is_one_press_away_and_stays(
    chromium: Browser, live_server: LiveServer, incident: Incident
) -> None:
    noon = timezone.now().replace(hour=12, minute=0)
    TimelineEntryFactory.create(incident=incident, text="At noon", at=noon)
    context = chromium.new_context(timezone_id="Asia/Tokyo")
    context.set_default_timeout(PATIENCE)
    page = _sign_in(context.new_page(), live_server, "cho")
    _open(page, live_server, incident)
    clock = page.locator(".entry", has_text="At noon").locator(".entry__time")

    expect(clock).to_have_text("12:00")
    page.get_by_role("link", name="Yours: Asia/Tokyo").click()
    expect(clock).to_have_text("21:00")
    _open(page, live_server, incident)
    expect(clock).to_have_text("21:00")
    expect(page.get_by_text(re.compile("Times in Asia"))).to_be_visible()
    page.get_by_role("link", name="UTC", exact=True).first.click()
    expect(clock).to_have_text("12:00")
    context.close()


def test_a_time_that_was_kept_is_not_read_in_another_zone(
    ada: Page, live_server: LiveServer, incident: Incident
) -> None:
    address = live_server.url + incident.get_absolute_url()
    body, due = ada.get_by_label("Message to customers"), ada.get_by_label("Or next update by")
    fold = ada.locator("#update [data-next] > summary")
    ada.goto(f"{address}?tz=UTC")
    body.fill("Half of it is back.")
    fold.click()
    due.fill("2100-01-12T08:00")
    ada.wait_for_timeout(600)

    ada.goto(address)
    expect(due).to_have_value("2100-01-12T08:00")
    expect(fold).to_have_text("They hear next: by 2100-01-12 08:00")
    ada.goto(f"{address}?tz=Asia/Tokyo")
    expect(body).to_have_value("Half of it is back.")
    expect(due).to_have_value("")


def test_a_hidden_tab_asks_nothing(ada: Page, live_server: LiveServer, incident: Incident) -> None:
    _open(ada, live_server, incident)
    asked: list[str] = []
    ada.on("request", lambda request: asked.append(request.url))

    ada.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { value: true, configurable: true });
        }"""
    )
    ada.wait_for_timeout(500)
    asked.clear()
    ada.wait_for_timeout(2500)
    assert asked == []

    ada.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { value: false, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    ada.wait_for_timeout(800)
    assert any("/timeline/" in url for url in asked)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_pages_of_an_entry_have_no_faults(
    ada: Page, live_server: LiveServer, incident: Incident, width: int, scheme: str
) -> None:
    entry = TimelineEntryFactory.create(incident=incident, text="Restarted the proxy")
    undated = TimelineEntryFactory.create(incident=incident, at=None, precision="unknown")
    operations.edit_entry(
        entry_id=entry.pk, at=timezone.now(), author=None, text="Restarted both", is_pinned=True
    )
    operations.add_link(
        entry_id=entry.pk, url="https://a.example/" + "x" * 200, caption="",
        at=timezone.now(), author=None,
    )  # fmt: skip
    ada.set_viewport_size({"width": width, "height": 844})
    ada.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    for address in (
        incident.get_absolute_url() + "?kind=event",
        reverse("incidents:entry-edit", args=[entry.pk]),
        reverse("incidents:entry-edit", args=[undated.pk]),
        reverse("incidents:entry-evidence", args=[entry.pk]),
        reverse("incidents:entry-deleted", args=[incident.pk]),
    ):
        ada.goto(live_server.url + address)
        assert ada.evaluate("document.documentElement.scrollWidth") == width, address
        assert violations(ada) == [], address
