"""The WSGI application in front of Django: public addresses are answered here, or nowhere."""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from statuspage.serving.manifest import CURRENT, HTML, JSON, NOT_FOUND, Unreadable
from statuspage.serving.memory import CORS, FRESH, Archive, Document, Headers, Held, Variant, load

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

# What is not the public page's. Everything else is.
APPLICATION_PREFIXES = ("/desk", "/static", "/api/desk", "/healthz", "/unsubscribe")
METHODS = "GET, HEAD, OPTIONS"
# How long a new revision may lie unseen. Looking costs one system call.
_LOOK_EVERY_SECONDS = 0.02
_CHOICES_KEPT = 500
_NOTHING_PUBLISHED = (
    "The status page has not been published yet, or its files cannot be read. "
    "Please try again in a minute."
)
_PLAIN_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Status page</title>'
    "<body><h1>Status page</h1><p>{}</p>"
)


class PublicSite:
    """Answers public addresses from the published bytes; hands the rest to the application.

    Holds the latest revision that could be read as a whole. While a newer one is missing, broken
    or half written, the one in memory goes on being served.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        root: Path,
        clock: Callable[[], float] = time.time,
        prefixes: tuple[str, ...] = APPLICATION_PREFIXES,
    ) -> None:
        self._application = application
        self._root = root
        self._clock = clock
        self._prefixes = tuple(f"{prefix}/" for prefix in prefixes)
        self._held: Held | None = None
        self._archive = Archive(root / "archive")
        self._look_at = 0.0
        self._looking = Lock()
        self._complained_of = ""
        self._choices: dict[str, str] = {}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO") or "/"
        if time.monotonic() >= self._look_at:
            self._look()
        held = self._held
        document = held.documents.get(path) if held else None
        if document is None:
            if f"{path}/".startswith(self._prefixes):
                return self._application(environ, start_response)
            document = self._archive.get(path, held) if held else None
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return _answer_method(method, start_response)
        if held is None:
            return _answer_nothing(path, method, start_response)
        if document is None or path == NOT_FOUND:
            return self._answer_unknown(held, path, environ, start_response)
        variant = self._variant(document, environ)
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None and (asked == variant.etag or _is_among(variant.etag, asked)):
            start_response("304 Not Modified", variant.headers_304)
            return []
        start_response("200 OK", variant.headers)
        return [variant.body] if method == "GET" else []

    def _variant(self, document: Document, environ: "WSGIEnvironment") -> Variant:
        variants = document.at(self._clock())
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        choice = self._choices.get(accepted)
        if choice is None:
            choice = _acceptable(accepted)
            if len(self._choices) < _CHOICES_KEPT:
                self._choices[accepted] = choice
        return variants[choice]

    def _look(self) -> None:
        """Take over a new revision, if there is one. One thread looks, the others go on."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
            # Where the switch points; the directory itself, so that what is read is one revision.
            target = (self._root / CURRENT).readlink()
            if self._held is None or target.name != self._held.name:
                self._held = load(self._root / target, before=self._held)
                self._complained_of = ""
        except (OSError, Unreadable) as fault:
            if str(fault) != self._complained_of:
                self._complained_of = str(fault)
                logger.warning("the published page cannot be read: %s", fault)
        finally:
            self._looking.release()

    def _answer_unknown(
        self, held: Held, path: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        without = path.rstrip("/")
        if without != path and (without in held.documents or self._archive.get(without, held)):
            start_response(
                "308 Permanent Redirect", [("Location", without), ("Content-Length", "0")]
            )
            return []
        page = held.documents.get(NOT_FOUND)
        if path.startswith("/api/") or page is None:
            body = b'{"code":"not-found","detail":"There is no document at this address."}'
            headers = _plain_headers(JSON, body, cache=FRESH)
        else:
            variant = self._variant(page, environ)
            body, headers = variant.body, variant.headers
        start_response("404 Not Found", headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []


def _answer_method(method: str, start_response: "StartResponse") -> Iterable[bytes]:
    headers: Headers = [("Allow", METHODS), ("Content-Length", "0"), *CORS]
    if method == "OPTIONS":
        headers += [
            ("Access-Control-Allow-Methods", METHODS),
            ("Access-Control-Allow-Headers", "*"),
            ("Access-Control-Max-Age", "86400"),
        ]
        start_response("204 No Content", headers)
    else:
        start_response("405 Method Not Allowed", headers)
    return []


def _answer_nothing(path: str, method: str, start_response: "StartResponse") -> Iterable[bytes]:
    if path.startswith("/api/"):
        body = f'{{"code":"not-published","detail":"{_NOTHING_PUBLISHED}"}}'.encode()
        headers = _plain_headers(JSON, body, cache="no-store")
    else:
        body = _PLAIN_PAGE.format(_NOTHING_PUBLISHED).encode()
        headers = _plain_headers(HTML, body, cache="no-store")
    start_response("503 Service Unavailable", [*headers, ("Retry-After", "10")])
    return [body] if method == "GET" else []


def _plain_headers(kind: str, body: bytes, *, cache: str) -> Headers:
    return [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", cache),
        ("X-Content-Type-Options", "nosniff"),
        *CORS,
    ]


def _is_among(etag: str, asked: str) -> bool:
    """Whether an If-None-Match names this tag. Proxies mark tags as weak; that is no difference."""
    return asked.strip() == "*" or etag in (
        tag.strip().removeprefix("W/") for tag in asked.split(",")
    )


def _acceptable(accepted: str) -> str:
    """Return which of the `CHOICES` an Accept-Encoding allows."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        name, _semicolon, parameters = part.strip().lower().partition(";")
        quality = parameters.strip().removeprefix("q=")
        try:
            weights[name.strip()] = float(quality) if quality else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    fallback = weights.get("*", 0.0)
    return " ".join(name for name in ("br", "gzip") if weights.get(name, fallback) > 0)
