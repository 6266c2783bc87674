"""Addresses to which we post: taken apart once, and whether they may be called at all."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from notifications.errors import Undelivered

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS = {"https": 443, "http": 80}
_FIRST_OPEN_PORT = 1024
_LONGEST = 1000
_LONGEST_NAME = 253
# Letters, digits, dashes and dots; the last label begins with a letter. A name that ends in a
# number is an IPv4 address in one of its odd spellings: octal, hexadecimal, or short.
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PRINTABLE = re.compile(r"[!-\[\]-~]+")

# Global by their number, and still not the world outside: protocol assignments with clouds'
# metadata servers, the old relays to IPv6, and the address at which Azure's machines are managed.
_INNER = [
    IPv4Network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
]
_UNICAST = IPv6Network("2000::/3")
# Tunnels, in which an IPv4 address lies hidden, and what books print.
_NO_WORLD = [IPv6Network(network) for network in ("2001::/32", "2002::/16", "3fff::/20")]
# How networks without IPv4 reach it: the lower 32 bits say whom.
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message goes. ``host`` is a name in lower case, or an IP address."""

    scheme: str
    host: str
    port: int
    # Path and query: what the server is asked for. For webhooks, a secret.
    target: str

    @property
    def host_header(self) -> str:
        """What the server is told of the name by which it was called."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place_of(address: str) -> Place:
    """Take an address apart.

    Everybody who looks at it looks at this: two readings of one address are how guards are passed.

    :raises Undelivered: if it is none that may be called, with what is wrong; it is final
    """
    try:
        if len(address) > _LONGEST or not _PRINTABLE.fullmatch(address):
            raise _Malformed(f"it may have {_LONGEST} plain characters at most, without spaces")
        parts = urlsplit(address)
        return Place(
            scheme=_scheme(parts),
            host=_host(parts),
            port=_port(parts),
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )
    except ValueError as fault:
        # The address is a secret, and Python's own words may hold parts of it.
        said = str(fault) if isinstance(fault, _Malformed) else "it is not written as one"
        raise Undelivered(f"This is no address to post to: {said}.", is_final=True) from None


class _Malformed(ValueError):
    """What is wrong with an address, in words that hold nothing of it."""


def _scheme(parts: SplitResult) -> str:
    if parts.scheme not in _PORTS:
        raise _Malformed("it has to begin with https://")
    if "@" in parts.netloc:
        raise _Malformed("it must not hold a user name or a password")
    return parts.scheme


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    try:
        if "%" not in host:
            return str(ip_address(host))
    except ValueError:
        if len(host) <= _LONGEST_NAME and _NAME.fullmatch(host):
            return host
    raise _Malformed("it needs a host, by its name or by a plain IP address")


def _port(parts: SplitResult) -> int:
    usual = _PORTS[parts.scheme]
    port = usual if parts.port is None else parts.port
    if port != usual and port < _FIRST_OPEN_PORT:
        raise _Malformed(f"its port has to be {usual}, or {_FIRST_OPEN_PORT} and above")
    return port


def permits(address: Address, *, allowed: Iterable[Network] = ()) -> bool:
    """Whether this is the world outside, or in one of the networks that are allowed besides."""
    if lies_in(address, allowed):
        return True
    address = _meant(address)
    if isinstance(address, IPv6Address):
        return address in _UNICAST and address.is_global and not lies_in(address, _NO_WORLD)
    return address.is_global and not address.is_multicast and not lies_in(address, _INNER)


def lies_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address, or the one that it stands for, is in one of these networks."""
    address = _meant(address)
    return any(address in network for network in networks)


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def masked(address: str) -> str:
    """Return an address as it may be shown: its host, and how it ends."""
    try:
        place = place_of(address)
    except Undelivered:
        return "…"
    ending = place.target[-4:] if len(place.target) > 2 * 4 else ""
    return f"{place.host_header}/…{ending}"
