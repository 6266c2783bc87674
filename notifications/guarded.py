"""Calling addresses that people typed in: checked, pinned to what was checked, and limited."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from ipaddress import ip_address

from django.conf import settings
from django.utils import timezone
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from notifications.errors import PlaceAway, Undelivered
from notifications.places import Place, lies_in, permits, place_of

# Of the addresses of one name, so many are tried.
_MOST_ADDRESSES = 3
# What a place may ask for when it is busy.
_LONGEST_WAIT = timedelta(hours=1)
_LONG_FIGURE = 9
_MOST_QUOTED = 120
# Shorter pieces of an address are no secrets: "services", "api".
_SECRET_LENGTH = 6
_ASKS_FOR_PATIENCE = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one message may cost: seconds to connect, of silence, in all; bytes of the answer."""

    connect: float = 5
    silence: float = 10
    total: float = 20
    answer: int = 16 * 1024


_USUAL = Limits()
# Of what is asked for, the answer matters: so much of it is read.
_ASKING = Limits(answer=4 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered, whole. ``headers`` are by their names in lower case.

    ``after``: how long it asks to be left alone.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    after: timedelta | None


def ask(
    method: str,
    address: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    limits: Limits = _ASKING,
) -> Answer:
    """Send a request, and return the answer, whatever its status: a redirect is one, too.

    The address is looked at, looked up and called as ``post`` does it. An answer that breaks off,
    or is longer than the limit, is none; what was asked for may have been done all the same.

    :raises Undelivered: if the address may not be called; it is final
    :raises PlaceAway: if no whole answer comes
    """
    place = place_of(address)
    ends_at = time.monotonic() + limits.total
    numbers = _checked(place, seconds=limits.total)
    connection = _reach(place, numbers, limits=limits, ends_at=ends_at)
    try:
        with _ending(connection, ends_at) as is_over:
            answer = _send(
                place, connection, body, headers, method=method, limits=limits, is_over=is_over
            )
            read = _whole(answer, limits, is_over)
    finally:
        connection.close()
    return Answer(
        status=answer.status,
        headers={name.lower(): value for name, value in answer.headers.items()},
        body=read,
        after=_patience(answer),
    )


def post(address: str, *, body: bytes, headers: Mapping[str, str], limits: Limits = _USUAL) -> None:
    """Post something, and return if it was taken.

    The name is looked up once, and the connection goes to the address that was checked. No
    redirect is followed, no proxy asked, and of the answer no more is read than the limit.
    Plain HTTP is spoken only within ``OUTGOING_NETWORKS``.

    :raises Undelivered: if it was not taken; it is final where to try again is of no use
    :raises PlaceAway: if the server does not answer, is busy, or fails
    """
    place = place_of(address)
    ends_at = time.monotonic() + limits.total
    numbers = _checked(place, seconds=limits.total)
    connection = _reach(place, numbers, limits=limits, ends_at=ends_at)
    try:
        with _ending(connection, ends_at) as is_over:
            answer = _send(place, connection, body, headers, limits=limits, is_over=is_over)
            said = _quoted(answer, place, limits)
    finally:
        connection.close()
    _judge(answer, said)


def refuse_unfit(address: str) -> None:
    """Refuse an address that may never be posted to. Its name is not looked up.

    :raises Undelivered: with what is wrong
    """
    place = place_of(address)
    with contextlib.suppress(ValueError):
        ip_address(place.host)
        _checked(place, seconds=_USUAL.total)


def _checked(place: Place, *, seconds: float) -> list[str]:
    """Return the IP addresses of a place: all of them may be called, or it is refused."""
    found = _looked_up(place, seconds=seconds)
    numbers = list(dict.fromkeys(ip_address(number) for number in found))
    allowed = settings.OUTGOING_NETWORKS
    if not all(permits(number, allowed=allowed) for number in numbers):
        raise Undelivered(
            "Its name leads into a network that is not the world outside. "
            "Whoever runs Highwater can allow that one: OUTGOING_NETWORKS.",
            is_final=True,
        )
    if place.scheme == "http" and not all(lies_in(number, allowed) for number in numbers):
        raise Undelivered("It has to begin with https://.", is_final=True)
    return [str(number) for number in numbers[:_MOST_ADDRESSES]]


def _looked_up(place: Place, *, seconds: float) -> list[str]:
    """Return the addresses behind a name. The system's look-up knows no limit: it gets ours.

    A thread that is late stays until the system gives up; it holds nothing, and ends nothing.
    """
    found: list[str] = []

    def look_up() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            answers = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            found.extend(str(answer[4][0]) for answer in answers)

    search = threading.Thread(target=look_up, daemon=True)
    search.start()
    search.join(seconds)
    if search.is_alive():
        raise PlaceAway("Its name was not looked up in time.")
    if not found:
        raise PlaceAway("Its name leads to no address now.")
    return found


def _reach(place: Place, numbers: list[str], *, limits: Limits, ends_at: float) -> HTTPConnection:
    """Connect to the first of these addresses that answers."""
    for number in numbers:
        connection = _line(place, number, min(limits.connect, max(ends_at - time.monotonic(), 0.1)))
        try:
            with _ending(connection, ends_at):
                connection.connect()
        except ssl.SSLError as fault:
            connection.close()
            raise PlaceAway(_about_tls(fault)) from None
        except (OSError, ValueError, HTTPError):
            connection.close()
            if time.monotonic() >= ends_at:
                break
        else:
            return connection
    raise PlaceAway("Nothing answers there.")


def _line(place: Place, number: str, seconds: float) -> HTTPConnection:
    if place.scheme == "http":
        return HTTPConnection(number, place.port, timeout=seconds)
    # Connected to the number, asked for and proven by the name.
    return HTTPSConnection(
        number,
        place.port,
        timeout=seconds,
        server_hostname=place.host,
        ssl_context=_trust(),
    )


@cache
def _trust() -> ssl.SSLContext:
    """Return the authorities of this machine, or those that SSL_CERT_FILE names."""
    return ssl.create_default_context()


def _about_tls(fault: ssl.SSLError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"Its certificate proves nothing: {fault.verify_message}."
    return "It does not speak TLS as it should."


@contextlib.contextmanager
def _ending(connection: HTTPConnection, ends_at: float) -> Iterator[threading.Event]:
    """Cut a connection when its time is over, however lively it is then."""
    held = [connection.sock]
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        for line in filter(None, {*held, connection.sock}):
            # The plain one, under TLS too: from another thread nothing else may be touched.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)

    watch = threading.Timer(max(ends_at - time.monotonic(), 0), cut)
    watch.daemon = True
    watch.start()
    try:
        yield is_over
    finally:
        watch.cancel()


def _send(
    place: Place,
    connection: HTTPConnection,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    limits: Limits,
    is_over: threading.Event,
) -> BaseHTTPResponse:
    connection.timeout = limits.silence
    try:
        connection.request(
            method,
            place.target,
            body=body,
            headers={
                "Host": place.host_header,
                "User-Agent": "Highwater",
                "Accept-Encoding": "identity",
                "Connection": "close",
                **headers,
            },
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,
        )
        return connection.getresponse()
    except (OSError, ValueError, HTTPError, http.client.HTTPException) as fault:
        raise _broken_off(fault, is_over) from None


def _broken_off(fault: Exception, is_over: threading.Event) -> PlaceAway:
    is_late = is_over.is_set() or isinstance(fault, TimeoutError)
    return PlaceAway("It did not answer in time." if is_late else "It broke the connection off.")


def _whole(answer: BaseHTTPResponse, limits: Limits, is_over: threading.Event) -> bytes:
    """Return all of an answer's body."""
    said = answer.headers.get("Content-Length", "")
    try:
        with contextlib.closing(answer):
            read = answer.read(limits.answer + 1, decode_content=False)
    except (OSError, ValueError, HTTPError, http.client.HTTPException) as fault:
        raise _broken_off(fault, is_over) from None
    if len(read) > limits.answer:
        raise PlaceAway("Its answer is longer than any that was asked for.")
    if is_over.is_set():
        raise PlaceAway("It did not answer in time.")
    if said.isascii() and said.isdecimal() and len(said) < _LONG_FIGURE and len(read) < int(said):
        raise PlaceAway("It broke its answer off.")
    return read


def _quoted(answer: BaseHTTPResponse, place: Place, limits: Limits) -> str:
    """Return how the answer begins, without what is secret in its address.

    What was taken was taken, whatever becomes of the words behind it.
    """
    try:
        with contextlib.closing(answer):
            read = answer.read(limits.answer, decode_content=False)
    except (OSError, ValueError, HTTPError, http.client.HTTPException):
        return ""
    text = " ".join(read.decode("utf-8", "replace").split())
    for piece in place.target.replace("?", "/").replace("&", "/").replace("=", "/").split("/"):
        if len(piece) >= _SECRET_LENGTH:
            text = text.replace(piece, "…")
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…"


def _judge(answer: BaseHTTPResponse, said: str) -> None:
    """Return if the message was taken, and say what to make of it if not."""
    status = answer.status
    words = f"{status}: {said}" if said else str(status)
    if status in range(200, 300):
        return
    if status in range(300, 400):
        raise Undelivered(
            "It answers with a redirect, which is not followed. Take the address behind it.",
            is_final=True,
        )
    if status in _ASKS_FOR_PATIENCE:
        raise PlaceAway(f"It is busy ({words}).", after=_patience(answer))
    if status == HTTPStatus.GONE:
        raise Undelivered(f"It is gone for good ({words}).", is_final=True)
    if status in range(400, 500):
        raise Undelivered(f"It refuses the message ({words}).", is_final=True)
    raise PlaceAway(f"It failed ({words}).", after=_patience(answer))


def _patience(answer: BaseHTTPResponse) -> timedelta | None:
    """Return how long the place asks to be left alone, within reason."""
    said = answer.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdecimal():
        # A longer figure may be more than a duration holds.
        wait = timedelta(seconds=int(said)) if len(said) < _LONG_FIGURE else _LONGEST_WAIT
    else:
        try:
            until = parsedate_to_datetime(said)
        except (ValueError, OverflowError):
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - timezone.now()
    return min(max(wait, timedelta()), _LONGEST_WAIT)
