"""Who may read a private page, decided without Django and without a database.

Whoever is let in gets a ticket: a cookie with its end and a signature of this page's key
(HMAC-SHA-256). Passwords are kept as scrypt hashes (RFC 7914). Programs give the page's feed
key in the address instead (``?key=…``).
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Kind = Literal["password", "networks", "viewers"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TICKET = "page_ticket"
TICKET_SECONDS = 12 * 3600
# Where the form of the gate is sent to.
ENTER = "/enter"
# 2^14 rounds of 8 blocks: 16 MiB and some 40 ms a guess.
_ROUNDS, _BLOCKS, _LANES = 2**14, 8, 1
_FORM_BYTES = 4096
# A ticket's end, in seconds, has fewer digits for a while.
_DIGITS = 12
_WRONG_A_MINUTE = 10
_GUESSERS_KEPT = 10_000
# More would keep other visitors waiting: a web worker answers one at a time.
_CHECKS_A_SECOND = 4
# Whoever has one address of IPv6 has all of its /64.
_IPV6_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What stands before a private page."""

    kind: Kind
    ticket_key: str
    feed_key: str
    password_hash: str = ""
    networks: tuple[str, ...] = ()

    def lets_in(
        self, environ: "WSGIEnvironment", *, now: float, proxies: Sequence[Network] = ()
    ) -> bool:
        """Whether this visitor may read the page."""
        if self._has_feed_key(environ):
            return True
        if self.kind == "networks":
            return is_within(visitor_address(environ, proxies), _networks(self.networks))
        return is_valid(_cookie(environ), self.ticket_key, now=now)

    def _has_feed_key(self, environ: "WSGIEnvironment") -> bool:
        query = environ.get("QUERY_STRING", "")
        if "key=" not in query:
            return False
        given = parse_qs(query).get("key", [""])[0]
        return hmac.compare_digest(given.encode(), self.feed_key.encode())


def new_ticket(key: str, *, now: float) -> str:
    """Return a ticket that is valid for ``TICKET_SECONDS``."""
    until = str(int(now) + TICKET_SECONDS)
    return f"{until}.{_signature(key, until)}"


def ticket_cookie(ticket: str, *, secure: bool) -> str:
    """Return the Set-Cookie header's value for a ticket."""
    rest = f"Path=/; Max-Age={TICKET_SECONDS}; HttpOnly; SameSite=Lax"
    return f"{TICKET}={ticket}; {rest}{'; Secure' if secure else ''}"


def is_valid(ticket: str, key: str, *, now: float) -> bool:
    """Whether the ticket was signed with this key and has not ended."""
    until, _dot, signature = ticket.partition(".")
    if not (until.isascii() and until.isdecimal() and len(until) <= _DIGITS) or int(until) <= now:
        return False
    return hmac.compare_digest(signature.encode(), _signature(key, until).encode())


def hash_password(password: str) -> str:
    """Return what may be kept of a password: ``salt$hash``."""
    salt = secrets.token_bytes(16)
    return f"{_text(salt)}${_text(_scrypt(password, salt))}"


def is_password(password: str, kept: str) -> bool:
    """Whether this is the password of which ``hash_password`` made ``kept``."""
    salt, _dollar, expected = kept.partition("$")
    found = _text(_scrypt(password, base64.b64decode(salt)))
    return hmac.compare_digest(found.encode(), expected.encode())


def visitor_address(environ: "WSGIEnvironment", proxies: Sequence[Network]) -> str:
    """Return the visitor's address: the nearest one that is no proxy of ours.

    ``X-Forwarded-For`` counts only as far as trusted proxies wrote it.
    """
    address = str(environ.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    while hops and hops[-1] and is_within(address, proxies):
        address = hops.pop()
    return address


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; no, if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)


def as_network(text: str) -> Network:
    """Read a network such as 10.0.0.0/8 or a single address.

    :raises ValueError: if it is neither
    """
    return ipaddress.ip_network(text.strip(), strict=False)


def form_of(environ: "WSGIEnvironment") -> dict[str, str]:
    """Return the fields of a short form; nothing of what is too long or is none."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return {}
    if not 0 < length <= _FORM_BYTES:
        return {}
    body = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(body).items()}


@dataclass(slots=True, kw_only=True)
class Guesses:
    """How many wrong passwords came from where in this minute. Each process counts its own."""

    clock: Callable[[], float]
    _minute: int = 0
    _wrong: dict[str, int] = field(default_factory=dict)
    _second: int = 0
    _checks: int = 0

    def wait(self, address: str) -> int:
        """Return for how many seconds no password is looked at; 0 if one may be tried now."""
        now = int(self.clock())
        if now // 60 != self._minute:
            self._minute, self._wrong = now // 60, {}
        if self._wrong.get(network_of(address), 0) >= _WRONG_A_MINUTE:
            return 60
        if now != self._second:
            self._second, self._checks = now, 0
        self._checks += 1
        return 1 if self._checks > _CHECKS_A_SECOND else 0

    def count_wrong(self, address: str) -> None:
        network = network_of(address)
        if network not in self._wrong and len(self._wrong) >= _GUESSERS_KEPT:
            self._wrong.pop(next(iter(self._wrong)))
        self._wrong[network] = self._wrong.get(network, 0) + 1


def network_of(address: str) -> str:
    """Return the network that whoever has this address holds; empty if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    bits = _IPV6_BITS if found.version == 6 and found.ipv4_mapped is None else found.max_prefixlen  # noqa: PLR2004
    return str(ipaddress.ip_network(f"{found}/{bits}", strict=False))


def _networks(texts: Iterable[str]) -> list[Network]:
    return [as_network(text) for text in texts]


def _cookie(environ: "WSGIEnvironment") -> str:
    # By hand: the library gives all cookies up where another one is odd.
    for part in str(environ.get("HTTP_COOKIE", "")).split(";"):
        name, _equals, value = part.strip().partition("=")
        if name == TICKET:
            return value
    return ""


def _signature(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_ROUNDS, r=_BLOCKS, p=_LANES, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
