"""The styles, the script and the pictures of a page: one file each, named by what it holds."""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from statuspage.documents.colours import Scheme, dark_scheme, light_scheme
from statuspage.models import Page

_STYLES = (
    "css/tokens.css",
    "css/base.css",
    "css/status.css",
    "css/status-story.css",
    "css/status-parts.css",
    "css/status-media.css",
)
_SCRIPT = "js/status.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of the page that never changes under its name."""

    path: str
    body: bytes


def assets(page: Page) -> dict[str, Asset]:
    """Return the assets of a page by role: style and script, and its logo and icon if it has them.

    Read once for each state of the page's row.
    """
    key = (page.pk, page.updated_at.isoformat())
    if key not in _MADE:
        if len(_MADE) > _MADE_AT_MOST:
            _MADE.clear()
        _MADE[key] = _of_page(page)
    return _MADE[key]


_MADE: dict[tuple[int, str], dict[str, Asset]] = {}
_MADE_AT_MOST = 200


def _of_page(page: Page) -> dict[str, Asset]:
    style, script = _of_the_house()
    found = {
        "style": _asset("status", "css", (style + _own_colours(page)).encode()),
        "script": _asset("status", "js", script.encode()),
    }
    for role, picture in (("logo", page.logo), ("icon", page.icon)):
        if picture:
            found[role] = _asset(role, "png", bytes(picture))
    return found


@functools.cache
def _of_the_house() -> tuple[str, str]:
    """Return style and script, as this process found them when it first asked."""
    folder = Path(settings.BASE_DIR) / "static"
    style = "".join((folder / name).read_text(encoding="utf-8") for name in _STYLES)
    script = (folder / _SCRIPT).read_text(encoding="utf-8")
    return _squeeze_style(style), _squeeze_script(script)


def _own_colours(page: Page) -> str:
    if not page.accent:
        return ""
    light, dark = _tokens(light_scheme(page.accent)), _tokens(dark_scheme(page.accent))
    return f"@layer tokens{{{light}@media(prefers-color-scheme:dark){{{dark}}}}}"


def _tokens(scheme: Scheme) -> str:
    return (
        f":root{{--accent:{scheme.accent};--accent-strong:{scheme.strong};"
        f"--focus:{scheme.accent};--on-accent:{scheme.on_accent}}}"
    )


def _asset(name: str, kind: str, body: bytes) -> Asset:
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
    """Return a name for the templates, words and assets in force; by a new one, all is renewed."""
    base = Path(settings.BASE_DIR)
    seen = hashlib.blake2b(digest_size=8)
    for pattern in ("statuspage/*.html", "components/*.html"):
        for file in sorted((base / "templates").glob(pattern)):
            seen.update(file.read_bytes())
    for file in sorted((base / "locale").glob("*/LC_MESSAGES/*.mo")):
        seen.update(file.read_bytes())
    for text in _of_the_house():
        seen.update(text.encode())
    return seen.hexdigest()
