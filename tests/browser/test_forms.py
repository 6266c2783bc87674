"""Forms of the desk in a real browser: nothing that is typed is lost without a word."""

import pytest
from django.urls import reverse
from playwright.sync_api import Dialog, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from statuspage.models import Page as StatusPage
from tests.factories import ComponentFactory, ResponderFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"


@pytest.fixture
def desk(page: Page, live_server: LiveServer, address: str) -> Page:
    """Sign a responder in, by the form."""
    responder: User = ResponderFactory.create()
    responder.set_password(PASSWORD)
    responder.save()
    page.goto(f"{live_server.url}/desk/")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    return page


@pytest.fixture
def settings_page(desk: Page, live_server: LiveServer) -> Page:
    desk.goto(live_server.url + reverse("statuspage:page-settings", args=["main"]))
    return desk


def _save(page: Page, part: str) -> None:
    page.locator(f"button[name=part][value={part}]").click()


def _listen(page: Page, *, agrees: bool) -> list[str]:
    """Answer each question that the page asks; return the list in which they are noted."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if agrees:
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", answer)
    return asked


class TestPartsThatAreSavedAlone:
    def test_ask_before_what_is_typed_in_another_is_lost(self, settings_page: Page) -> None:
        asked = _listen(settings_page, agrees=False)
        settings_page.locator("#look_accent").fill("#0a5ca0")
        settings_page.locator("#page_name").fill("Beta")

        _save(settings_page, "settings")

        expect(settings_page.locator("#look_accent")).to_have_value("#0a5ca0")
        assert len(asked) == 1
        assert "another part" in asked[0]
        assert StatusPage.objects.get().name == "Acme"

    def test_ask_nothing_when_only_one_was_changed(self, settings_page: Page) -> None:
        asked = _listen(settings_page, agrees=True)
        settings_page.locator("#page_name").fill("Beta")

        _save(settings_page, "settings")

        expect(settings_page.get_by_role("status")).to_contain_text("published anew")
        assert asked == []
        assert StatusPage.objects.get().name == "Beta"

    def test_a_refused_one_has_the_focus_and_is_unsaved(self, settings_page: Page) -> None:
        asked = _listen(settings_page, agrees=True)
        settings_page.locator("#look_accent").fill("#ffff00")
        _save(settings_page, "look")
        expect(settings_page.locator("#look_accent")).to_be_focused()

        _save(settings_page, "settings")

        expect(settings_page.get_by_role("status")).to_contain_text("published anew")
        assert len(asked) == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_states_of_components_are_not_cut_off(
    desk: Page, live_server: LiveServer, width: int
) -> None:
    ComponentFactory.create()
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(live_server.url + reverse("incidents:incident-declare"))

    needed = desk.locator(".field--component select").evaluate(
        """(select) => {
          const free = select.cloneNode(true);
          free.removeAttribute("id");
          Object.assign(free.style, { width: "max-content", maxWidth: "none", position: "fixed" });
          select.after(free);
          const wide = free.getBoundingClientRect().width;
          free.remove();
          return wide - select.getBoundingClientRect().width;
        }"""
    )

    assert needed <= 1
    assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
