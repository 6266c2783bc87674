"""What a browser keeps of what is typed, and for whom: nobody else reads it on the same machine."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import Severity, Visibility
from tests.factories import ResponderFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"
# It is kept a moment after the last key; milliseconds.
A_MOMENT = 600
KEPT = "(store) => Object.keys(window[store]).filter((name) => name.startsWith('kept:'))"


def _sign_in(page: Page, server: LiveServer, username: str) -> Page:
    responder: User = ResponderFactory.create(username=username)
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


def _declare(visibility: Visibility) -> Incident:
    return operations.declare_incident(
        title="A key has leaked", severity=Severity.SEV2, at=timezone.now(), visibility=visibility,
        author=User.objects.get(username="ada"),
    )  # fmt: skip


def _type(page: Page, server: LiveServer, incident: Incident) -> None:
    page.goto(server.url + incident.get_absolute_url())
    page.get_by_label("Message to customers").fill("We renew the key.")
    page.wait_for_timeout(A_MOMENT)


def test_who_signs_out_leaves_nothing_behind(ada: Page, live_server: LiveServer) -> None:
    private = _declare(Visibility.PRIVATE)
    _type(ada, live_server, private)
    _type(ada, live_server, _declare(Visibility.PUBLIC))
    # In the middle of a word.
    ada.get_by_label("New entry").fill("half a li")

    ada.get_by_role("button", name="Sign out").click()
    ada.wait_for_url("**/desk/login/**")

    assert ada.evaluate(KEPT, "localStorage") == []
    assert ada.evaluate(KEPT, "sessionStorage") == []


def test_who_signs_in_finds_nothing_of_another(ada: Page, live_server: LiveServer) -> None:
    incident = _declare(Visibility.PUBLIC)
    _type(ada, live_server, incident)
    assert ada.evaluate(KEPT, "localStorage") == [f"kept:incident-{incident.pk}-update"]

    # Her session ran out; she never signed out.
    ada.context.clear_cookies()
    ben = _sign_in(ada, live_server, "ben")
    ben.goto(live_server.url + incident.get_absolute_url())

    expect(ben.get_by_label("Message to customers")).to_have_value("")
    assert ben.evaluate(KEPT, "localStorage") == []


def test_what_is_private_stays_in_its_tab(ada: Page, live_server: LiveServer) -> None:
    incident = _declare(Visibility.PUBLIC)
    _type(ada, live_server, incident)
    Incident.objects.update(visibility=Visibility.PRIVATE)
    incident.members.add(User.objects.get(username="ada"))

    # What was typed before it was private goes into the tab, too.
    ada.goto(live_server.url + incident.get_absolute_url())
    expect(ada.get_by_label("Message to customers")).to_have_value("We renew the key.")
    ada.get_by_label("Message to customers").fill("We renewed the key.")
    ada.wait_for_timeout(A_MOMENT)

    assert ada.evaluate(KEPT, "localStorage") == []
    ada.reload()
    expect(ada.get_by_label("Message to customers")).to_have_value("We renewed the key.")
    other = ada.context.new_page()
    other.goto(live_server.url + incident.get_absolute_url())
    expect(other.get_by_label("Message to customers")).to_have_value("")
