"""Every kind of public page by axe-core, at every width, colour and text size; and by keyboard."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from playwright.sync_api import Browser, Page

from incidents.models import Incident
from incidents.values import ProgressState
from statuspage.models import Access
from statuspage.models import Page as StatusPage
from statuspage.operations import set_access
from statuspage.publisher import publish_all
from statuspage.publisher.notice import put_notice
from tests.browser import scenes
from tests.browser.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

MINUTE = timedelta(minutes=1)
# Width, colours, and whether the system forces its own.
SCREENS = [
    (320, "light", "none"),
    (390, "dark", "none"),
    (1280, "light", "none"),
    (1280, "dark", "none"),
    (390, "dark", "active"),
    (1280, "light", "active"),
]
Paths = list[str]


def quiet() -> Paths:
    now = timezone.now()
    past = scenes.past_incident(scenes.components(now - timedelta(days=3)), now)
    return [
        "/",
        f"/incidents/{past.public_id}",
        "/uptime",
        "/history",
        f"/history/{past.created_at:%Y-%m}",
        "/nothing-here",
    ]


def worst_hour() -> Paths:
    now = timezone.now()
    parts = scenes.components(now - timedelta(days=3))
    incident = scenes.worst_hour(parts, now)
    scenes.second_incident(parts, now)
    return ["/", "/uptime", f"/incidents/{incident.public_id}"]


def silent() -> Paths:
    """No word of the restore for a while, and the next update is late."""
    then = timezone.now() - 30 * MINUTE
    incident = scenes.worst_hour(scenes.components(then), then)
    return ["/", f"/incidents/{incident.public_id}"]


def stopped() -> Paths:
    now = timezone.now()
    incident = scenes.worst_hour(scenes.components(now), now - MINUTE)
    scenes.progress(incident, done=43, at=now, state=ProgressState.FAILED)
    return ["/"]


def crowded() -> Paths:
    incident = scenes.many(timezone.now())
    return ["/", "/uptime", f"/incidents/{incident.public_id}"]


SCENES = [quiet, worst_hour, silent, stopped, crowded]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(timezone_id="America/New_York")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def _look_at(page: Page) -> list[str]:
    """Return what is wrong with the page on any screen, and with large text."""
    faults: list[str] = []
    for width, scheme, forced in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, forced_colors=forced)  # type: ignore[arg-type]
        screen = f"{page.url} {width} {scheme} {forced}"
        faults += [f"{screen}: {fault}" for fault in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{screen}: wider than the screen")
    page.emulate_media(color_scheme="light", forced_colors="none")
    # As somebody who needs it has it: text twice as large, on a phone and on a desk.
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{page.url} {width}: wider than the screen with large text")
    return faults


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_axe_finds_nothing(scene: Callable[[], Paths], page: Page, address: str) -> None:
    paths = scene()
    publish_all()
    faults: list[str] = []
    for path in paths:
        page.goto(address + path)
        # What is folded is looked at, too.
        page.evaluate("document.querySelectorAll('details').forEach((part) => part.open = true)")
        faults += _look_at(page)

    assert faults == []


def test_axe_finds_nothing_under_a_notice(page: Page, address: str) -> None:
    publish_all()
    put_notice("We moved to +49 30 1234.\nCall us there.", at=timezone.now())
    page.goto(address)

    assert page.locator("#notice").is_visible()
    assert _look_at(page) == []


def test_axe_finds_nothing_at_the_gate(page: Page, address: str) -> None:
    private = StatusPage.objects.get()
    set_access(page_id=private.pk, access=Access.PASSWORD, password="high water", at=timezone.now())
    publish_all()
    page.goto(address)

    assert page.get_by_label("Password").is_visible()
    assert _look_at(page) == []


def test_axe_finds_nothing_before_the_script_has_come(
    page: Page, address: str, restoring: Incident
) -> None:
    page.route("**/*.js", lambda route: route.abort())
    page.goto(address)

    assert page.locator(".added").count() == 0
    assert _look_at(page) == []


@pytest.fixture
def restoring(address: str) -> Incident:
    now = timezone.now()
    incident = scenes.worst_hour(scenes.components(now), now)
    publish_all()
    return incident


FOCUSED = """() => {
    const part = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(part);
    const { top, bottom, left, right } = part.getBoundingClientRect();
    return {
        place: [...document.querySelectorAll("a, button, summary")].indexOf(part),
        words: part.innerText,
        outline: outlineStyle === "none" ? 0 : parseFloat(outlineWidth),
        seen: top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth,
    };
}"""


def test_everything_can_be_reached_and_done_by_keyboard(
    page: Page, address: str, restoring: Incident
) -> None:
    page.goto(address)
    reachable = page.evaluate(
        """[...document.querySelectorAll("a, button, summary")]
            .filter((part) => part.checkVisibility()).length"""
    )

    found: list[dict[str, Any]] = []
    for _press in range(reachable):
        page.keyboard.press("Tab")
        found.append(page.evaluate(FOCUSED))

    assert found[0]["words"] == "Skip to the content"
    # In the order in which it stands there, each visible and visibly chosen.
    assert [part["place"] for part in found] == sorted({part["place"] for part in found})
    assert [part for part in found if part["outline"] < 2 or not part["seen"]] == []

    page.locator("details.given summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("details.given li").first.is_visible()
    page.keyboard.press("Space")
    assert page.locator("details.given li").first.is_hidden()


def test_the_skip_link_leads_to_the_content(page: Page, address: str, restoring: Incident) -> None:
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    # The first thing in the content, not the links above it.
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_targets_are_large_enough_and_the_outline_has_no_gap(
    page: Page, address: str, restoring: Incident
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(address)

    # A link inside a sentence is as large as its words: the one exception that there is.
    small = page.evaluate(
        """[...document.querySelectorAll("a, button, summary")]
            .filter((part) => part.checkVisibility() && !part.matches(".prose a, .skip"))
            .filter((part) => {
                const { width, height } = part.getBoundingClientRect();
                return width < 24 || height < 24;
            }).map((part) => part.outerHTML)"""
    )
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((part) => Number(part.tagName[1]))"
    )

    assert small == []
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(landmark).count() == 1


def test_nothing_moves_for_those_who_asked_for_rest(
    page: Page, address: str, restoring: Incident
) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(address)
    page.locator(".top__name").hover()

    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_on_paper_everything_stands_and_nothing_is_to_press(
    page: Page, address: str, restoring: Incident
) -> None:
    page.goto(address)
    page.emulate_media(media="print")

    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("navigation").count() == 0
    folded = page.locator("details.given ul").bounding_box()
    assert folded is not None
    assert folded["height"] > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_words_of_the_script_stand_in_the_document() -> None:
    """What a visitor reads is in the language of the page; the script has no words of its own."""
    script = (django_settings.BASE_DIR / "static" / "js" / "status.js").read_text("utf-8")
    code = "\n".join(line for line in script.splitlines() if not line.strip().startswith("//"))

    for word in ("Pause", "Resume", "your time", "ago", "renewed"):
        assert f'"{word}' not in code
        assert f"`{word}" not in code
