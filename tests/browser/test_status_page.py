"""The public page in a real browser, served as it is in production."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Browser, Page, Response, sync_playwright
from pytest_django import Settings

from incidents import operations
from incidents.models import Incident
from incidents.values import ComponentStatus, ProgressPhase, Severity
from statuspage.operations import set_up_page
from statuspage.publisher import publish_all

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENS = [(320, "light"), (390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
# Serves a folder with the server's own code, and nothing behind it.
SERVER = """
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from statuspage.serving import PublicSite
class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True
class Quiet(WSGIRequestHandler):
    def log_message(self, *words): pass
def behind(environ, start):
    start("404 Not Found", [("Content-Length", "0")])
    return []
site = PublicSite(behind, root=Path(sys.argv[1]))
port = int(sys.argv[2])
server = make_server("127.0.0.1", port, site, server_class=Threads, handler_class=Quiet)
server.serve_forever()
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright runs an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
        # Beside a running loop Django keeps connections of its own; nobody else closes them.
        connections.close_all()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def address(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """Publish a page into a folder and serve it; give its address."""
    settings.PUBLIC_ROOT = tmp_path / "public"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_up_page(name="Acme", url=f"http://127.0.0.1:{port}", at=timezone.now())
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(settings.PUBLIC_ROOT), str(port)],
        env=os.environ | {"PYTHONPATH": str(django_settings.BASE_DIR)},
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture
def restoring(address: str) -> Incident:
    """Give an open incident with a running restore, on the page."""
    now = timezone.now()
    group = operations.add_component(name="Virtual tours", is_group=True, at=now)
    tours = operations.add_component(name="Europe", group_id=group.pk, at=now)
    incident = operations.declare_incident(
        title="Tours are unavailable: a database was lost and is being brought back",
        severity=Severity.SEV1,
        at=now,
        author=None,
        body="We are on it.\n\n- one\n- averyveryveryverylongwordwithoutanyplacetobreak" * 2,
        components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
    )
    report(incident, done=20)
    return incident


def report(incident: Incident, *, done: int) -> None:
    now = timezone.now()
    operations.report_progress(
        incident_id=incident.pk,
        key="restore-1",
        title="Restore of the tours",
        progress=operations.Progress(
            phase=ProgressPhase.FETCHING,
            done=done * 10**9,
            total=84 * 10**9,
            unit="bytes",
            rate=38e6,
            eta_low_at=now + timedelta(minutes=10),
            eta_high_at=now + timedelta(minutes=20),
            eta_basis="the last 60 s",
            data_until_at=now - timedelta(hours=2),
        ),
        at=now,
    )
    publish_all()


def _open(browser: Browser, address: str, **context: Any) -> Page:
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    page.goto(address)
    return page


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_fits_the_screen_without_javascript(
    width: int, scheme: str, browser: Browser, address: str, restoring: Incident
) -> None:
    page = _open(
        browser,
        address,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        java_script_enabled=False,
    )

    # Playwright's own evaluation works where the page's scripts do not.
    assert page.locator("progress").count() == 1
    assert page.locator("h1").count() == 1
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "20.0 GB of 84.0 GB" in page.inner_text("main")
    page.context.close()


def test_a_first_visit_is_three_requests_and_ten_kilobytes(
    browser: Browser, address: str, restoring: Incident
) -> None:
    context = browser.new_context()
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
    assert failed == []
    assert context.cookies() == []
    context.close()


def test_renews_itself_and_leaves_the_focus_where_it_is(
    browser: Browser, address: str, restoring: Incident
) -> None:
    page = _open(browser, address)
    page.clock.install()
    page.reload()
    link = page.get_by_role("link", name="Past incidents").or_(page.locator(".top__name"))
    link.focus()
    page.evaluate("window.bannerBefore = document.getElementById('banner').firstElementChild")

    report(restoring, done=42)
    time.sleep(0.1)
    page.clock.run_for(11_000)
    page.get_by_text("42.0 GB of 84.0 GB").wait_for()

    assert page.evaluate("document.activeElement.className") == "top__name"
    # The banner says what it said: it is not replaced, so nobody hears it twice.
    assert page.evaluate("bannerBefore.isConnected")
    page.context.close()


def test_can_be_paused(browser: Browser, address: str, restoring: Incident) -> None:
    page = _open(browser, address)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Pause updates").click()

    report(restoring, done=42)
    time.sleep(0.1)
    page.clock.run_for(30_000)

    assert "20.0 GB of 84.0 GB" in page.inner_text("main")
    page.get_by_role("button", name="Resume updates").click()
    page.get_by_text("42.0 GB of 84.0 GB").wait_for()
    page.context.close()


def test_targets_are_large_enough_and_everything_has_a_name(
    browser: Browser, address: str, restoring: Incident
) -> None:
    page = _open(browser, address, viewport={"width": 390, "height": 800})

    small = page.evaluate(
        """[...document.querySelectorAll("header a, nav a, footer a, button, summary")]
            .filter((part) => part.getBoundingClientRect().height < 24)
            .map((part) => part.outerHTML)"""
    )
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((part) => Number(part.tagName[1]))"
    )

    assert small == []
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("status").count() == 1
    page.context.close()
