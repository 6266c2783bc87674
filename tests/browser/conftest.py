"""A real Chromium, on pages of the live server; a fault in a page's scripts fails its test."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from statuspage.operations import set_up_page
from tests.factories import ResponderFactory

PASSWORD = "high water"
# Quiet: no screen, no sandbox of its own as root, nothing fetched from outside.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Serves a folder with the server's own code, and nothing behind it.
_SERVER = """
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


# A module's, not the session's: only one Playwright may run in a thread at a time.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine; without one, the tests that want it are skipped."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None or not Path(program).exists():
        pytest.skip("there is no chromium on this machine")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; tests talk to the database beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()
        # Beside a running loop Django keeps connections of its own; nobody else closes them.
        connections.close_all()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a page of its own, without cookies. Whatever its console complains of fails the test."""
    if "live_server" in request.fixturenames:
        # Begun before it and ended after it: a page that still asks would meet emptied tables.
        request.getfixturevalue("live_server")
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    opened = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # An answer that says no, 422, is shown on the page; it is no fault of the page.
        if message.type in ("error", "warning") and "status of 422" not in message.text:
            complaints.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda fault: complaints.append(str(fault)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def desk(page: Page, live_server: LiveServer) -> Page:
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
def address(settings: Settings, tmp_path: Path) -> Iterator[str]:
    """Serve a folder of the test's own as production does; give the address of the page there.

    The page has a name; what it tells is there once the test has published.
    """
    settings.PUBLIC_ROOT = tmp_path / "public"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_up_page(name="Acme", url=f"http://127.0.0.1:{port}", at=timezone.now())
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(settings.PUBLIC_ROOT), str(port)],
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
