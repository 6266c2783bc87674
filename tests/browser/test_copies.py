"""The page on a copy that an nginx serves, and the preview at the desk, in a real browser."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.models import Incident, StatusUpdate
from incidents.operations import Plan
from incidents.values import Severity
from statuspage import publisher, targets
from statuspage.models import Page as StatusPage
from statuspage.publisher.targets import push
from statuspage.serving import manifest
from statuspage.serving.memory import FOR_EVER, FRESH, PERSONAL, POLICY
from tests.browser.axe import violations
from tests.factories import ComponentFactory, ResponderFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

_HOW_TO = django_settings.BASE_DIR / "docs" / "how-to" / "publish-to-a-bucket-or-cdn.md"
# Only what a test needs around the lines that the how-to gives.
_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    {outside}
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; {lines} }}
}}
"""


@pytest.fixture
def incident(settings: Settings, tmp_path: Path) -> Incident:
    settings.PUBLIC_ROOT = tmp_path / "public"
    past = operations.declare_incident(
        title="Uploads hung", severity=Severity.SEV2, at=timezone.now() - timedelta(hours=9),
        author=None, body="We look into it.",
    )  # fmt: skip
    operations.resolve_incident(
        incident_id=past.pk, body="It is over.", at=timezone.now() - timedelta(hours=8), author=None
    )
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None,
        body="We are looking into it.",
    )  # fmt: skip


@pytest.fixture
def copy(incident: Incident, tmp_path: Path) -> Iterator[str]:
    """Serve a copy by the lines of the how-to; give its address."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx on this machine")
    folder = tmp_path / "copy"
    folder.mkdir()
    target = targets.add_directory(
        page_id=StatusPage.objects.get().pk, name="copy", path=str(folder), at=timezone.now()
    )
    publisher.publish_all()
    assert push(target)
    outside, inside = re.findall(r"```nginx\n(.*?)```", _HOW_TO.read_text("utf-8"), re.DOTALL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    written = tmp_path / "nginx.conf"
    lines = inside.replace("/srv/status", str(folder))
    written.write_text(_NGINX.format(folder=tmp_path, port=port, outside=outside, lines=lines))
    with subprocess.Popen([program, "-p", str(tmp_path), "-c", str(written)]) as server:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def test_a_copy_has_the_addresses_of_the_page(copy: str, incident: Incident) -> None:
    past = Incident.objects.get(title="Uploads hung")

    for address, says in (
        ("/", "Tours do not open"),
        (f"/incidents/{incident.public_id}", "We are looking into it."),
        (f"/incidents/{past.public_id}", "It is over."),
        ("/history", "Uploads hung"),
        ("/api/v2/summary.json", '"Tours do not open"'),
    ):
        assert says in urllib3.request("GET", f"{copy}{address}").data.decode(), address
    unknown = urllib3.request("GET", f"{copy}/incidents/nothing")
    assert unknown.status == 404
    # Ours, and not that of nginx.
    assert "There is nothing at this address" in unknown.data.decode()


def test_a_copy_is_as_guarded_as_the_page(copy: str, tmp_path: Path) -> None:
    code = "0123456789bcdfgh"
    own = tmp_path / "copy" / "archive"
    for file in (f"my/{code}.html", f"api/status/v1/my/{code}.json"):
        (own / file).parent.mkdir(parents=True, exist_ok=True)
        (own / file).write_text("{}")
    style = next((own / "assets").glob("*.css")).name
    personal = {
        "Cache-Control": PERSONAL, "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"
    }  # fmt: skip
    readable = {"Access-Control-Allow-Origin": "*"}

    for address, kind, says in (
        ("/", manifest.HTML, {"Cache-Control": FRESH, "Content-Security-Policy": POLICY}),
        ("/live", manifest.HTML, {"Cache-Control": FRESH, "Content-Security-Policy": POLICY}),
        ("/nothing", manifest.HTML, {"Content-Security-Policy": POLICY}),
        ("/api/v2/summary.json", manifest.JSON, {"Cache-Control": FRESH, **readable}),
        ("/history.atom", manifest.ATOM, {"Cache-Control": FRESH, **readable}),
        ("/maintenance.ics", manifest.CALENDAR, {"Cache-Control": FRESH, **readable}),
        (f"/assets/{style}", manifest.CSS, {"Cache-Control": FOR_EVER}),
        (f"/my/{code}", manifest.HTML, {"Content-Security-Policy": POLICY, **personal}),
        (f"/api/status/v1/my/{code}.json", manifest.JSON, {**personal, **readable}),
    ):
        answer = urllib3.request("GET", f"{copy}{address}")
        assert answer.headers["Content-Type"].lower() == kind, address
        assert answer.headers["X-Content-Type-Options"] == "nosniff", address
        named = {
            "Cache-Control", "Content-Security-Policy", "Access-Control-Allow-Origin",
            "X-Robots-Tag", "Referrer-Policy",
        }  # fmt: skip
        assert {name: answer.headers[name] for name in named if name in answer.headers} == says


def test_a_copy_says_by_itself_what_time_makes_true(copy: str, chromium: Browser) -> None:
    page = chromium.new_context().new_page()
    page.clock.install(time=timezone.now())
    page.goto(copy)
    assert "This copy is from" not in page.inner_text("main")

    # Nobody has published for an hour; the file on the copy is what it was.
    page.clock.fast_forward(3_600_000)

    expect(page.locator("main")).to_contain_text("This copy is from", timeout=20_000)
    page.context.close()


def test_a_copy_without_javascript_says_from_when_on_it_is_old(
    copy: str, chromium: Browser
) -> None:
    page = chromium.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 800}
    ).new_page()
    page.goto(copy)

    words = page.locator("#live > noscript p")

    expect(words).to_be_visible()
    expect(words).to_contain_text("what follows may no longer be so")
    made, until = (
        datetime.fromisoformat(moment.get_attribute("datetime") or "")
        for moment in words.locator("time").all()
    )
    # While an incident is open.
    assert until - made == timedelta(minutes=3)
    assert abs(timezone.now() - made) < timedelta(minutes=2)
    # Above what it warns of, and nothing is cut off beside it.
    assert _top(words) < _top(page.locator("#banner"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.locator("#age").is_hidden()
    links = [link.get_attribute("href") for link in words.locator("a").all()]
    assert links == ["", f"{StatusPage.objects.get().url}/"]
    page.context.close()


def _sign_in(page: Page, live_server: LiveServer) -> None:
    responder = ResponderFactory.create()
    responder.set_password("high water")
    responder.save()
    page.goto(f"{live_server.url}{reverse('desk-login')}")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill("high water")
    page.get_by_role("button", name="Sign in").click()


def _top(found: Locator) -> float:
    box = found.bounding_box()
    assert box is not None
    return box["y"]


def test_a_preview_looks_as_the_page_will(
    page: Page, live_server: LiveServer, incident: Incident
) -> None:
    ComponentFactory.create()
    _sign_in(page, live_server)
    page.goto(live_server.url + incident.get_absolute_url())
    page.locator("#update_body").fill("It is the **database**.")

    page.locator("#update summary", has_text="More").click()
    with page.expect_popup() as opened:
        page.locator("#update").get_by_role("button", name="See the whole page").click()
    preview = opened.value

    expect(preview.get_by_text("Nothing has been sent.")).to_be_visible()
    front = preview.frame_locator("iframe[title='The front page']")
    expect(front.locator("strong", has_text="database").first).to_be_visible()
    # Dressed in the styles of the page, which the desk hands out.
    assert front.locator("body").evaluate("body => document.styleSheets.length") == 1
    assert front.locator("body").evaluate("body => document.styleSheets[0].cssRules.length") > 0
    assert StatusUpdate.objects.filter(incident=incident).count() == 1
    # What was typed is still there to be posted.
    assert page.locator("#update_body").input_value() == "It is the **database**."


@pytest.mark.usefixtures("incident")
def test_a_deed_on_planned_work_is_seen_before_it_is_done(
    page: Page, live_server: LiveServer
) -> None:
    tours = ComponentFactory.create()
    now = timezone.now()
    planned = operations.schedule_maintenance(
        plan=Plan(title="New disks", components=[tours.pk]),
        scheduled_for=now + timedelta(days=1), scheduled_until=now + timedelta(days=1, hours=1),
        at=now, author=None,
    )  # fmt: skip
    _sign_in(page, live_server)
    page.goto(live_server.url + planned.get_absolute_url())
    page.get_by_role("link", name="Start now").click()
    page.get_by_label("Message to customers").fill("We begin **early**.")

    with page.expect_popup() as opened:
        page.get_by_role("button", name="See the whole page").click()
    preview = opened.value

    expect(preview.get_by_text("Nothing has been sent.")).to_be_visible()
    front = preview.frame_locator("iframe[title='The front page']")
    expect(front.locator("[data-component-status=under_maintenance]")).to_be_visible()
    # As most visitors see it: no script runs in here, and nobody is told of that.
    expect(front.get_by_text("Without JavaScript")).to_have_count(0)
    story = preview.frame_locator("iframe[title='The page of it alone']")
    expect(story.locator("strong", has_text="early")).to_be_visible()
    assert violations(preview) == []
    planned.refresh_from_db()
    assert planned.is_scheduled
    # What was typed is still there, and does it.
    page.get_by_role("button", name="Start now").click()
    expect(page.get_by_text("has begun.").first).to_be_visible()
    planned.refresh_from_db()
    assert planned.is_running
