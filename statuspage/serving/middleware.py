"""The WSGI application in front of Django: public addresses are answered here, or nowhere."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from statuspage.serving import directory
from statuspage.serving.gate import (
    ENTER,
    Gate,
    Guesses,
    Network,
    form_of,
    is_password,
    new_ticket,
    ticket_cookie,
    visitor_address,
)
from statuspage.serving.lookup import MY, address_asked_for
from statuspage.serving.manifest import (
    GATE,
    GATE_REFUSED,
    HTML,
    JSON,
    NOT_FOUND,
    Unreadable,
)
from statuspage.serving.memory import CORS, FRESH, Headers, Variant
from statuspage.serving.page import ServedPage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

# What is not the public page's. Everything else is.
APPLICATION_PREFIXES = (
    "/desk",
    "/static",
    "/api/desk",
    "/api/alerts",
    "/api/trackers",
    "/v1",
    "/healthz",
    "/metrics",
    "/unsubscribe",
    "/subscriptions",
    "/api/v2/subscribers.json",
    "/viewer",
)
# What Django answers only to those who may read the page.
_BEHIND_THE_GATE = ("/subscriptions/new", "/api/v2/subscribers.json")
METHODS = "GET, HEAD, OPTIONS"
_HOSTS_KEPT = 1000
_CHOICES_KEPT = 500
_NOTHING_PUBLISHED = (
    "The status page has not been published yet, or its files cannot be read. "
    "Please try again in a minute."
)
_PLAIN_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Status page</title>'
    "<body><h1>Status page</h1><p>{}</p>"
)
_NO_STORE: Headers = [("Cache-Control", "private, no-store"), ("X-Robots-Tag", "noindex")]


class PublicSite:
    """Answers public addresses from the published bytes; hands the rest to the application.

    The host chooses the page; a host that is no page's gets the first page. ``proxies`` are the
    networks whose word counts on where a visitor comes from.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        root: Path,
        clock: Callable[[], float] = time.time,
        prefixes: tuple[str, ...] = APPLICATION_PREFIXES,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._application = application
        self._root = root
        self._clock = clock
        self._prefixes = tuple(f"{prefix}/" for prefix in prefixes)
        self._proxies = proxies
        self._guesses = Guesses(clock=clock)
        self._pages: list[ServedPage] = []
        self._by_host: dict[str, ServedPage] = {}
        self._mark: tuple[int, int] | None = None
        self._choices: dict[str, str] = {}
        self._nowhere = ServedPage(root, directory.PageEntry(id="", slug="", hosts=()), clock=clock)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/"):
            path = f"/{path}"
        host = environ.get("HTTP_HOST", "")
        page = self._by_host.get(host) or self._page_of(host)
        if time.monotonic() >= page.look_at:
            page = self._look(host)
        held = page.held
        document = held.documents.get(path) if held else None
        if document is None:
            if f"{path}/".startswith(self._prefixes):
                return self._hand_on(page, path, environ, start_response)
            document = page.find(path)
        is_asset = document is not None and path.startswith("/assets/")
        if page.entry.gate is not None and not is_asset:
            refusal = self._stop_at_gate(page, page.entry.gate, path, environ, start_response)
            if refusal is not None:
                return refusal
        method = environ["REQUEST_METHOD"]
        if document is None or held is None or method not in ("GET", "HEAD"):
            return self._answer_otherwise(page, path, environ, start_response)
        if path == MY and (found := address_asked_for(environ)):
            return _send_on(found, start_response)
        variant = page.choose(document, self._choice(environ))
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None and (asked == variant.etag or _is_among(variant.etag, asked)):
            start_response("304 Not Modified", variant.headers_304)
            return []
        start_response("200 OK", variant.headers)
        return [variant.body] if method == "GET" else []

    def _hand_on(
        self,
        page: ServedPage,
        path: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        """Let the application answer; to what tells of a private page only whoever may read it."""
        if page.entry.gate is not None and path.startswith(_BEHIND_THE_GATE):
            refusal = self._stop_at_gate(page, page.entry.gate, path, environ, start_response)
            if refusal is not None:
                return refusal
        return self._application(environ, start_response)

    def look(self) -> None:
        """See at once what has been published since the last look."""
        self._read_directory()
        for page in self._pages:
            page.look()

    def _look(self, host: str) -> ServedPage:
        """Take over what is new of the pages there are, and of the page of this host."""
        self._read_directory()
        page = self._page_of(host)
        page.look()
        return page

    def _read_directory(self) -> None:
        try:
            mark = directory.mark(self._root)
        except OSError:
            # Nothing is published yet; or what is in memory goes on being served.
            return
        if mark == self._mark:
            return
        try:
            entries = directory.read(self._root)
        except Unreadable as fault:
            # Said once for this file.
            self._mark = mark
            logger.warning("the pages there are cannot be read: %s", fault)
            return
        known = {page.entry: page for page in self._pages}
        pages = [
            known.get(entry) or ServedPage(self._root, entry, clock=self._clock)
            for entry in entries
        ]
        self._pages = pages
        self._by_host = {host: page for page in pages for host in page.entry.hosts}
        self._mark = mark

    def _page_of(self, host: str) -> ServedPage:
        """Return the page of a host as a browser writes it: any case, perhaps with a dot."""
        # Bound once: what another thread puts in its place knows other pages.
        by_host = self._by_host
        page = by_host.get(host.lower().rstrip("."))
        if page is None:
            page = self._pages[0] if self._pages else self._nowhere
        if len(by_host) < _HOSTS_KEPT and page is not self._nowhere:
            by_host[host] = page
        return page

    def _choice(self, environ: "WSGIEnvironment") -> str:
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        choice = self._choices.get(accepted)
        if choice is None:
            choice = _acceptable(accepted)
            if len(self._choices) < _CHOICES_KEPT:
                self._choices[accepted] = choice
        return choice

    def _stop_at_gate(
        self,
        page: ServedPage,
        gate: Gate,
        path: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes] | None:
        """Return what a visitor gets who is not let in, or who is just entering; else None."""
        if environ["REQUEST_METHOD"] == "POST" and path == ENTER:
            return self._enter(page, gate, environ, start_response)
        if gate.lets_in(environ, now=self._clock(), proxies=self._proxies):
            return None
        return self._refuse(page, path, environ, start_response)

    def _answer_otherwise(
        self,
        page: ServedPage,
        path: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            is_private = page.entry.gate is not None
            return _answer_method(method, start_response, is_private=is_private)
        if page.held is None:
            return _answer_nothing(path, method, start_response)
        return self._answer_unknown(page, path, environ, start_response)

    def _enter(
        self,
        page: ServedPage,
        gate: Gate,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        """Let in whoever knows the password."""
        form = form_of(environ)
        address = visitor_address(environ, self._proxies)
        if wait := self._guesses.wait(address):
            start_response("429 Too Many Requests", [("Retry-After", str(wait)), *_NO_STORE])
            return [b"Too many passwords are being tried. Try again in a minute."]
        if gate.kind != "password" or not is_password(form.get("password", ""), gate.password_hash):
            self._guesses.count_wrong(address)
            return self._send(page, GATE_REFUSED, "403 Forbidden", environ, start_response)
        ticket = new_ticket(gate.ticket_key, now=self._clock())
        secure = environ.get("wsgi.url_scheme") == "https" or (
            environ.get("HTTP_X_FORWARDED_PROTO") == "https"
        )
        start_response(
            "303 See Other",
            [
                ("Location", _wanted(environ)),
                ("Set-Cookie", ticket_cookie(ticket, secure=secure)),
                ("Content-Length", "0"),
                *_NO_STORE,
            ],
        )
        return []

    def _refuse(
        self,
        page: ServedPage,
        path: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        if path.startswith("/api/") or page.held is None or GATE not in page.held.documents:
            body = b'{"code":"not-admitted","detail":"This page is private. Give ?key=."}'
            headers = [("Content-Type", JSON), ("Content-Length", str(len(body))), *_NO_STORE]
            start_response("401 Unauthorized", headers)
            return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
        return self._send(page, GATE, "401 Unauthorized", environ, start_response)

    def _answer_unknown(
        self,
        page: ServedPage,
        path: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        without = path.rstrip("/")
        if without != path and page.find(without):
            start_response(
                "308 Permanent Redirect",
                [("Location", _local(quote(without))), ("Content-Length", "0")],
            )
            return []
        if not path.startswith("/api/"):
            return self._send(page, NOT_FOUND, "404 Not Found", environ, start_response)
        body = b'{"code":"not-found","detail":"There is no document at this address."}'
        is_private = page.entry.gate is not None
        start_response("404 Not Found", _plain_headers(JSON, body, is_private=is_private))
        return [body] if environ["REQUEST_METHOD"] == "GET" else []

    def _send(
        self,
        page: ServedPage,
        name: str,
        status: str,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        """Send a document that has no address of its own."""
        document = page.held.documents.get(name) if page.held else None
        if document is None:
            return _answer_nothing("/", environ["REQUEST_METHOD"], start_response)
        variant: Variant = page.choose(document, self._choice(environ))
        headers = variant.headers
        if name != NOT_FOUND:
            # Strangers need not know how lively a private page is.
            headers = [header for header in headers if not header[0].startswith("X-Highwater")]
        start_response(status, headers)
        return [variant.body] if environ["REQUEST_METHOD"] != "HEAD" else []


def _send_on(address: str, start_response: "StartResponse") -> Iterable[bytes]:
    headers: Headers = [("Location", address), ("Content-Length", "0"), *_NO_STORE]
    # What was typed stands in this address: nobody else shall read it there.
    start_response("303 See Other", [*headers, ("Referrer-Policy", "no-referrer")])
    return []


def _wanted(environ: "WSGIEnvironment") -> str:
    """Return what a visitor had asked for when the gate was shown: the form stands there."""
    try:
        came_from = urlsplit(environ.get("HTTP_REFERER", ""))
    except ValueError:
        return "/"
    is_here = came_from.netloc == environ.get("HTTP_HOST", "") and came_from.path != ENTER
    return _local(came_from.path) if is_here else "/"


def _local(target: str) -> str:
    """Return an address on this host; the front page for anything else."""
    # Two slashes would name another host, and browsers read a backslash as a slash.
    is_plain = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_plain and target.isprintable() and target.isascii() else "/"


def _answer_method(
    method: str, start_response: "StartResponse", *, is_private: bool
) -> Iterable[bytes]:
    headers: Headers = [("Allow", METHODS), ("Content-Length", "0")]
    headers += _NO_STORE if is_private else CORS
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
        kind = JSON
        body = f'{{"code":"not-published","detail":"{_NOTHING_PUBLISHED}"}}'.encode()
    else:
        kind = HTML
        body = _PLAIN_PAGE.format(_NOTHING_PUBLISHED).encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Retry-After", "10"),
    ]
    start_response("503 Service Unavailable", headers)
    return [body] if method == "GET" else []


def _plain_headers(kind: str, body: bytes, *, is_private: bool) -> Headers:
    return [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        *(_NO_STORE if is_private else [("Cache-Control", FRESH), *CORS]),
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
