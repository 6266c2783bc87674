"""A folder to publish into, and a visitor who reads what is served from it."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from pytest_django import Settings

from incidents import operations
from incidents.models import Tenant
from statuspage.models import FIRST_PAGE
from statuspage.serving import PublicSite, directory
from statuspage.serving.directory import PageEntry
from tests.factories import MINUTE, NOON

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@dataclass
class Answer:
    """What a visitor gets."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    """Somebody who reads the published page through the server's own code, at a time of choice."""

    site: PublicSite
    clock: list[float] = field(default_factory=lambda: [0.0])
    address: str = "203.0.113.7"

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        body = urlencode(form).encode()
        return self._ask(path, "POST", headers, body)

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        return self._ask(path, method, headers, b"")

    def _ask(self, path: str, method: str, headers: dict[str, str], body: bytes) -> Answer:
        self.site.look()
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "REMOTE_ADDR": self.address}
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        path, _question, query = path.partition("?")
        environ |= {"PATH_INFO": path, "QUERY_STRING": query}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        seen: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]], *_rest: Any) -> Any:
            seen.extend((int(status.partition(" ")[0]), dict(found)))

        answered = b"".join(self.site(environ, start_response))
        return Answer(status=seen[0], headers=seen[1], body=answered)


@pytest.fixture
def public_root(settings: Settings, tmp_path: Path) -> Path:
    """Give an empty PUBLIC_ROOT of the test's own."""
    settings.PUBLIC_ROOT = tmp_path / "public"
    return tmp_path / "public"


@pytest.fixture
def page_root(public_root: Path) -> Path:
    """Give the folder of the first page, and tell the server of that page."""
    directory.write(public_root, [PageEntry(id="1", slug=FIRST_PAGE, hosts=())])
    return directory.folder_of(public_root, FIRST_PAGE)


@pytest.fixture
def visitor(public_root: Path) -> Visitor:
    """Give a visitor of that root. ``clock[0]`` is the time; at 0 it is the first edition's."""
    clock = [0.0]
    return Visitor(PublicSite(_behind, root=public_root, clock=lambda: clock[0]), clock)


@pytest.fixture
def acme() -> Tenant:
    return operations.register_tenant(key="tenant:1", name="Acme", at=NOON)


@pytest.fixture
def read(visitor: Visitor) -> Callable[..., Answer]:
    """Give a reader of a tenant's page, at minutes after noon."""

    def reading(tenant: Tenant, *, minutes: float = 0, **headers: str) -> Answer:
        visitor.clock[0] = (NOON + minutes * MINUTE).timestamp()
        return visitor.get(f"/my/{tenant.lookup_code}", **headers)

    return reading


@pytest.fixture
def captured(settings: Settings) -> Callable[[str], Any]:
    """Give a reader of captured documents; skip where they are not."""
    folder = settings.SHARED_DIR / "examples" / "statuspage-v2"
    if not folder.exists():
        pytest.skip("the captured documents are not on this machine")
    return lambda name: json.loads((folder / name).read_bytes())


def _behind(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("200 OK", [("X-Behind", environ["PATH_INFO"])])
    return [b"the application behind"]
