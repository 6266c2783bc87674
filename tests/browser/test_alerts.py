"""The desk's pages on alerts, by keyboard, on a phone and in the dark."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.inbound import NotJson
from incidents.models import AlertHook
from incidents.values import AlertProvider, Severity, Visibility
from tests.browser.axe import violations
from tests.factories import ComponentFactory, ResponderFactory
from tests.incidents.payloads import alert, group, told

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page: Page, live_server: LiveServer) -> Page:
    client = Client()
    client.force_login(ResponderFactory.create())
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


def _hook(name: str, provider: AlertProvider, **changes: Any) -> AlertHook:
    hook, _token = operations.add_hook(
        name=name,
        provider=provider,
        severity=Severity.SEV2,
        visibility=Visibility.INTERNAL,
        at=timezone.now(),
        author=None,
        **changes,
    )
    return hook


def _pages() -> list[str]:
    """Return the pages on alerts, with something on them."""
    now = timezone.now()
    ComponentFactory.create()
    hook = _hook("Prometheus Frankfurt", AlertProvider.ALERTMANAGER)
    payload = group(alert("A", startsAt=now.isoformat()), alert("B", startsAt=now.isoformat()))
    alerts = told(AlertProvider.ALERTMANAGER, payload, at=now)
    (taken, _other) = operations.take_in(hook_id=hook.pk, alerts=alerts, at=now)
    assert taken.incident
    reason = str(NotJson())
    for hook_id, excerpt in ((hook.pk, '{"a": ' * 60), (None, "")):
        operations.note_refusal(hook_id=hook_id, code="x", reason=reason, excerpt=excerpt, at=now)
    pager = _hook("Pager", AlertProvider.PAGERDUTY)
    script = _hook("Scripts", AlertProvider.GENERIC, signing_secret="x" * 30)
    named = [(name, hook.pk) for name in ("edit", "renew", "remove")]
    return [
        reverse("incidents:alert-hook-list"),
        reverse("incidents:alert-hook-add"),
        *(one.get_absolute_url() for one in (hook, pager, script)),
        *(reverse(f"incidents:alert-hook-{name}", args=[pk]) for name, pk in named),
        taken.incident.get_absolute_url(),
    ]


def test_are_fit_for_a_phone_and_for_axe(desk: Page, live_server: LiveServer) -> None:
    faults: list[str] = []
    for address in _pages():
        desk.goto(live_server.url + address)
        for width, scheme in ((390, "dark"), (1280, "light")):
            desk.set_viewport_size({"width": width, "height": 900})
            desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            faults += [f"{address} {width} {scheme}: {fault}" for fault in violations(desk)]
            wide = desk.evaluate("document.documentElement.scrollWidth")
            faults += [f"{address} is {wide} wide"] if wide > width else []

    assert faults == []


def test_a_hook_is_opened_by_keyboard(desk: Page, live_server: LiveServer) -> None:
    desk.goto(live_server.url + reverse("incidents:alert-hook-list"))

    desk.get_by_role("link", name="Add a hook").focus()
    desk.keyboard.press("Enter")
    desk.get_by_label("Name").fill("Prometheus")
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("heading", name="Its address, shown this once")).to_be_visible()
    expect(desk.get_by_text("/api/alerts/").first).to_be_visible()
    desk.reload()
    expect(desk.get_by_role("heading", name="Its address, shown this once")).to_be_hidden()
