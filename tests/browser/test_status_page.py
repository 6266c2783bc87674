"""The public page in a real browser, served as it is in production."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, Response, Route, expect

from incidents import operations
from incidents.models import Incident
from incidents.values import Phase
from statuspage.publisher import publish_all
from tests.browser import scenes

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SCREENS = [(320, "light"), (390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def restoring(address: str) -> Incident:
    """Give an open incident with a running restore, on the page, beside much else."""
    now = timezone.now()
    parts = scenes.components(now - timedelta(days=3))
    scenes.past_incident(parts, now)
    incident = scenes.worst_hour(parts, now)
    publish_all()
    return incident


def report(incident: Incident, *, done: int) -> None:
    scenes.progress(incident, done=done, at=timezone.now())
    publish_all()


def _open(browser: Browser, address: str, **context: Any) -> Page:
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    page.goto(address)
    return page


def _open_with_clock(browser: Browser, address: str, **context: Any) -> Page:
    """Open the page with its clock in the test's hand: it goes only when the test lets it."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    page.clock.install(time=timezone.now())
    page.goto(address)
    return page


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_fits_the_screen_without_javascript(
    width: int, scheme: str, chromium: Browser, address: str, restoring: Incident
) -> None:
    page = _open(
        chromium,
        address,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        java_script_enabled=False,
    )

    # Playwright's own evaluation works where the page's scripts do not.
    assert page.locator("progress").count() == 1
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "42.0 GB of 84.0 GB" in page.inner_text("main")
    assert "does not renew itself" in page.inner_text("#live")
    assert not page.locator("#pause").is_visible()
    # What an update said before unfolds without a script.
    page.get_by_text("What it said until").click()
    assert page.get_by_text("before nine is lost").is_visible()
    page.context.close()


def test_a_first_visit_is_three_requests_and_ten_kilobytes(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    seen: list[Response] = []
    failed: list[str] = []
    # Playwright puts a mark on what it calls, which a bound method cannot take.
    page.on("response", lambda response: seen.append(response))  # noqa: PLW0108
    page.on("console", lambda message: failed.append(message.text))
    page.goto(address, wait_until="networkidle")

    sizes = [int(response.headers["content-length"]) for response in seen]

    assert len(seen) <= 3
    assert sum(sizes) <= 10_000
    # Nobody else hears of the visit, and nothing of it is kept.
    assert all(response.url.startswith(address) for response in seen)
    assert failed == []
    assert context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    context.close()


def test_renews_itself_and_leaves_the_focus_where_it_is(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    page = _open_with_clock(chromium, address)
    page.get_by_text("Estimates given so far").click()
    page.evaluate("window.bannerBefore = document.getElementById('banner').firstElementChild")

    report(restoring, done=63)
    time.sleep(0.1)
    page.clock.run_for(11_000)
    page.get_by_text("63.0 GB of 84.0 GB").wait_for()

    # The focus is inside what was renewed, on a list that stays unfolded.
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.locator("details.given[open]").count() == 1
    # The banner says what it said: it is not replaced, so nobody hears it twice.
    assert page.evaluate("bannerBefore.isConnected")
    # What is for those without a script stays hidden, also once a script has put it there.
    assert page.locator("noscript").count() == 1
    assert "does not renew itself" not in page.inner_text("body")
    page.context.close()


def test_a_new_update_appears_and_what_is_unfolded_stays_so(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    page = _open_with_clock(chromium, address)
    page.get_by_text("Estimates given so far").click()

    operations.post_status_update(
        incident_id=restoring.pk,
        body="Nearly there.",
        phase=Phase.IDENTIFIED,
        at=timezone.now(),
        author=None,
    )
    publish_all()
    time.sleep(0.1)
    page.clock.run_for(11_000)
    page.get_by_text("Nearly there.").wait_for()

    assert page.locator("details.given[open]").count() == 1
    # The older ones have moved behind a word.
    assert page.get_by_text("Tours do not open. We are on it.").is_hidden()
    page.get_by_text("Earlier updates: 2").click()
    assert page.get_by_text("Tours do not open. We are on it.").is_visible()
    page.context.close()


def test_the_banner_and_the_tab_say_it_when_the_state_changes(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    page = _open_with_clock(chromium, address)
    assert page.title().startswith("Partial system outage")

    operations.resolve_incident(
        incident_id=restoring.pk, body="All is back.", at=timezone.now(), author=None
    )
    publish_all()
    time.sleep(0.1)
    page.clock.run_for(11_000)

    expect(page.locator("#banner")).to_contain_text("All systems operational")
    assert page.locator("#banner").get_attribute("role") == "status"
    assert page.title() == "All systems operational · Acme status"
    page.context.close()


def test_can_be_paused(chromium: Browser, address: str, restoring: Incident) -> None:
    page = _open_with_clock(chromium, address)
    page.get_by_role("button", name="Pause updates").click()
    left = page.inner_text(".story__promises")

    report(restoring, done=63)
    time.sleep(0.1)
    page.clock.run_for(30_000)

    assert "42.0 GB of 84.0 GB" in page.inner_text("main")
    assert page.inner_text(".story__promises") == left
    page.get_by_role("button", name="Resume updates").click()
    page.get_by_text("63.0 GB of 84.0 GB").wait_for()
    page.context.close()


def test_asks_nothing_while_nobody_looks_and_at_once_when_somebody_does(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    page = _open_with_clock(chromium, address)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, writable: true })")
    page.clock.run_for(120_000)

    assert asked == []

    page.evaluate(
        "document.hidden = false; document.dispatchEvent(new Event('visibilitychange')); null"
    )
    expect(page.locator("#live")).to_be_visible()
    page.wait_for_timeout(200)
    assert asked == [f"{address}/live"]
    page.context.close()


def test_counts_down_to_the_next_update(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    operations.post_status_update(
        incident_id=restoring.pk,
        body="More in a moment.",
        phase=Phase.IDENTIFIED,
        at=timezone.now() - 5 * MINUTE,
        author=None,
        next_update_at=timezone.now() + timedelta(seconds=75),
    )
    publish_all()
    page = _open_with_clock(chromium, address)
    promise = page.locator(".story__promises")
    countdown = promise.locator(".added").first

    assert re.fullmatch(r"\(in 1 min\. 1?\d sec\)", countdown.inner_text().strip())
    assert countdown.get_attribute("aria-hidden") == "true"
    before = countdown.inner_text()
    page.clock.run_for(3_000)
    assert countdown.inner_text() != before

    page.context.close()


def test_an_open_page_says_by_itself_that_the_next_update_is_late(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    due = timezone.now() + timedelta(seconds=3)
    operations.post_status_update(
        incident_id=restoring.pk,
        body="More in a moment.",
        phase=Phase.IDENTIFIED,
        at=due - 5 * MINUTE,
        author=None,
        next_update_at=due,
    )
    publish_all()
    page = _open_with_clock(chromium, address)
    promise = page.locator(".story__promises")
    expect(promise).to_contain_text("by ")

    # Nobody publishes: the edition that says so lies there already.
    while timezone.now() < due:
        time.sleep(0.1)
    page.clock.run_for(11_000)

    expect(promise).to_contain_text("is late.")
    expect(promise.locator(".added").first).to_contain_text(re.compile("sec. ago"))
    page.context.close()


def test_tells_the_visitors_time_where_it_differs(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    here = _open(chromium, address, timezone_id="Etc/UTC")
    there = _open(chromium, address, timezone_id="America/New_York")

    assert "your time" not in here.inner_text("main")
    assert there.locator("[data-due] .yours").count() == 2
    assert re.search(r"\d\d:\d\d your time", there.inner_text(".story__promises"))
    assert "your time" in (there.locator(".told time").first.get_attribute("title") or "")
    here.context.close()
    there.context.close()


def test_says_so_when_it_cannot_be_renewed(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    def refuse(route: Route) -> None:
        route.abort()

    page = _open_with_clock(chromium, address)
    page.route("**/live", refuse)
    for _look in range(5):
        page.clock.run_for(30_000)
        time.sleep(0.1)

    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text(
        re.compile(r"could not be renewed since \d\d:\d\d UTC")
    )

    page.unroute("**/live")
    for _look in range(25):
        page.clock.run_for(5_000)
        time.sleep(0.05)
    expect(page.locator("#lost")).to_be_hidden()
    page.context.close()


def test_a_copy_that_nobody_renews_admits_its_age_by_script(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    """Nobody picks editions in a bucket: the words are there, and appear when it is time."""
    page = _open_with_clock(chromium, address)
    assert page.locator("#age").is_hidden()

    def answer(route: Route) -> None:
        route.fulfill(body=copy, content_type="text/html")

    copy = page.request.get(f"{address}/live").text()
    page.route("**/live", answer)
    page.clock.run_for(60_000)
    assert page.locator("#age").is_hidden()
    page.clock.fast_forward(4 * 60_000)

    expect(page.locator("#age")).to_be_visible()
    expect(page.locator("#age")).to_contain_text("This copy is from")
    page.context.close()


def test_a_visitors_wrong_clock_makes_no_copy_old(
    chromium: Browser, address: str, restoring: Incident
) -> None:
    page = chromium.new_context().new_page()
    page.clock.install(time=timezone.now() + timedelta(hours=2))
    page.goto(address)

    with page.expect_response("**/live"):
        page.clock.run_for(11_000)
    time.sleep(0.1)
    page.clock.run_for(1_000)

    assert page.locator("#age").is_hidden()
    # The server's clock counts, from the first answer on.
    assert re.search(r"\(in \d+ min\.", page.inner_text(".story__promises"))
    page.context.close()
