"""The styles and the script of the page: one file each, named by what it holds."""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

_STYLES = ("css/tokens.css", "css/base.css", "css/status.css")
_SCRIPT = "js/status.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of the page that never changes under its name."""

    path: str
    body: bytes


@functools.cache
def assets() -> dict[str, Asset]:
    """Return the assets by role, as this process found them when it first asked."""
    folder = Path(settings.BASE_DIR) / "static"
    style = "".join((folder / name).read_text(encoding="utf-8") for name in _STYLES)
    script = (folder / _SCRIPT).read_text(encoding="utf-8")
    return {
        "style": _asset("status", "css", _squeeze_style(style)),
        "script": _asset("status", "js", _squeeze_script(script)),
    }


def _asset(name: str, kind: str, text: str) -> Asset:
    body = text.encode()
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return Asset(path=f"/assets/{name}.{digest}.{kind}", body=body)


def _squeeze_style(text: str) -> str:
    """Return a style sheet without comments and without white space that means nothing."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([{};,>])\s*", r"\1", text)
    return re.sub(r"(?<=[{;])([\w-]+):\s+", r"\1:", text).replace(";}", "}").strip()


def _squeeze_script(text: str) -> str:
    """Return a script without indentation and whole-line comments: its lines stay."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@functools.cache
def edition_of_the_house() -> str:
    """Return a name for the templates and assets in force: when it changes, pages are made anew."""
    folder = Path(settings.BASE_DIR) / "templates"
    seen = hashlib.blake2b(digest_size=8)
    for part in ("statuspage", "components"):
        for file in sorted((folder / part).glob("*.html")):
            seen.update(file.read_bytes())
    for asset in assets().values():
        seen.update(asset.path.encode())
    return seen.hexdigest()
