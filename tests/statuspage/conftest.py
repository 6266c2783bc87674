"""A folder to publish into, and a visitor who reads what is served from it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import Settings

from statuspage.serving import PublicSite

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

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        self.site._look_at = 0.0  # Look at once, not after a while.
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        seen: list[Any] = []

        def start_response(status: str, found: list[tuple[str, str]], *_rest: Any) -> Any:
            seen.extend((int(status.partition(" ")[0]), dict(found)))

        body = b"".join(self.site(environ, start_response))
        return Answer(status=seen[0], headers=seen[1], body=body)


@pytest.fixture
def public_root(settings: Settings, tmp_path: Path) -> Path:
    """Give an empty PUBLIC_ROOT of the test's own."""
    settings.PUBLIC_ROOT = tmp_path / "public"
    return tmp_path / "public"


@pytest.fixture
def visitor(public_root: Path) -> Visitor:
    """Give a visitor of that root. ``clock[0]`` is the time; at 0 it is the first edition's."""
    clock = [0.0]
    return Visitor(PublicSite(_behind, root=public_root, clock=lambda: clock[0]), clock)


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
