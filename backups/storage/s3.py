"""One bucket, as the fetcher and the catalogue need it: list, head, ranged reads, small writes.

Every call has a limit on connecting and on silence, is tried once (who calls decides what to do
next), and its failures come out as the errors of ``backups.errors``.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote, unquote_plus

from backups.errors import ObjectChanged
from backups.storage.answers import PassingTrouble, meaning_of
from backups.storage.etags import is_encrypted_with_keys
from backups.storage.values import (
    Credentials,
    ObjectRef,
    Place,
    has_strong_etag,
    is_same_etag,
    plain_etag,
)
from backups.storage.wire import ERROR_BODY_LIMIT, OK, REDIRECTED, Exchange, Wire

__all__ = ["Bucket", "Credentials", "ObjectRef", "Page", "PassingTrouble", "Place"]

SILENCE_SECONDS = 15.0


# How a token begins that is ours: it names the last key, where a storage gives no token.
_AFTER = "after:"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing. ``next_token`` is empty on the last."""

    objects: Sequence[ObjectRef]
    prefixes: Sequence[str]
    next_token: str


class Bucket:
    """A bucket of an S3-compatible storage. Safe to share between threads.

    ``credentials`` may be a function: it is asked again by ``renew``, so that keys which were
    renewed are taken up without a new start.
    """

    def __init__(
        self,
        place: Place,
        credentials: Credentials | Callable[[], Credentials],
        *,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.place = place
        self.wire = Wire(place)
        self._given = credentials
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()
        self.silence_seconds = silence_seconds

    def close(self) -> None:
        self.wire.close()

    def credentials(self) -> Credentials:
        """Return the keys that requests are signed with now."""
        with self._lock:
            if self._credentials is None:
                self._credentials = self._provided()
            return self._credentials

    def renew(self, refused: Credentials) -> bool:
        """Ask for the keys again; say whether there are others now than the refused ones."""
        provided = self._provided()
        with self._lock:
            self._credentials = provided
        return provided != refused

    def _provided(self) -> Credentials:
        return self._given if isinstance(self._given, Credentials) else self._given()

    def list(self, prefix: str) -> Iterator[ObjectRef]:
        """Name the objects whose whole keys begin so, in the order of their keys."""
        token = ""
        while True:
            page = self.list_page(prefix, token=token)
            yield from page.objects
            token = page.next_token
            if not token:
                return

    def list_page(
        self, prefix: str, *, delimiter: str = "", after: str = "", token: str = "",
        limit: int = 1000,
    ) -> Page:  # fmt: skip
        """Return one page of what lies under a prefix, as S3's ListObjectsV2 does."""
        if token.startswith(_AFTER):
            token, after = "", token.removeprefix(_AFTER)
        query = {
            "list-type": "2", "encoding-type": "url", "prefix": prefix, "delimiter": delimiter,
            "start-after": after, "continuation-token": token, "max-keys": str(limit),
        }  # fmt: skip
        asked = "&".join(
            f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()) if value
        )
        with self._answered("GET", "", prefix or self.place.url, query=asked) as exchange:
            return _page(exchange.read_all())

    def head(self, key: str) -> ObjectRef:
        with self._answered("HEAD", key, key) as exchange:
            headers = exchange.headers
        return ObjectRef(
            key=key,
            size=int(headers["content-length"]),
            etag=plain_etag(headers.get("etag", "")),
            modified_at=_moment(headers.get("last-modified", "")),
        )

    def first_part_bytes(self, key: str, etag: str) -> int:
        """Return how long the first part is of an object that was stored in parts."""
        asked = {"If-Match": f'"{etag}"'}
        with self._answered("HEAD", key, key, query="partNumber=1", headers=asked) as exchange:
            return int(exchange.headers["content-length"])

    def says_nothing(self, ref: ObjectRef) -> bool:
        """Say whether the object is encrypted so that its ETag is no checksum of it."""
        asked = {"If-Match": f'"{ref.etag}"'} if has_strong_etag(ref.etag) else {}
        with self._answered("HEAD", ref.key, ref.key, headers=asked) as exchange:
            return is_encrypted_with_keys(exchange.headers)

    def crc32(self, key: str, etag: str) -> str:
        """Return the CRC-32 that the storage keeps of an object, or nothing if it keeps none."""
        asked = {"If-Match": f'"{etag}"', "x-amz-checksum-mode": "ENABLED"}
        with self._answered("HEAD", key, key, headers=asked) as exchange:
            return exchange.headers.get("x-amz-checksum-crc32", "")

    def read(self, key: str) -> bytes:
        """Read a small object whole."""
        with self._answered("GET", key, key) as exchange:
            return exchange.read_all()

    def write(self, key: str, content: bytes) -> None:
        """Store a small object."""
        with self._answered("PUT", key, key, body=content):
            return

    def read_range(self, ref: ObjectRef, start: int, stop: int, *, chunk: int) -> Iterator[bytes]:
        """Read bytes ``start`` to ``stop`` (not included) of exactly that object, in chunks.

        :raises PassingTrouble: when the answer does not come, breaks off, or falls silent; what was
        yielded holds
        :raises ObjectChanged: if the object is not the one that was looked at
        """
        asked = {"Range": f"bytes={start}-{stop - 1}"}
        if has_strong_etag(ref.etag):
            asked["If-Match"] = f'"{ref.etag}"'
        with self._answered("GET", ref.key, ref.key, headers=asked) as exchange:
            buffer = memoryview(bytearray(chunk))
            while start < stop:
                read = exchange.read_into(buffer[: stop - start])
                if not read:
                    raise PassingTrouble("reset", f"{ref.key}: ended {stop - start} bytes early")
                start += read
                yield bytes(buffer[:read])

    @contextmanager
    def reading(self, ref: ObjectRef, start: int, stop: int) -> Iterator[Exchange]:
        """Ask for bytes ``start`` to ``stop`` of exactly that object, and give the answer to read.

        :raises PassingTrouble: when it does not come, or something else than asked for does
        :raises ObjectChanged: if the object is not the one that was looked at
        """
        asked = {"Range": f"bytes={start}-{stop - 1}"}
        if has_strong_etag(ref.etag):
            asked["If-Match"] = f'"{ref.etag}"'
        with self._answered("GET", ref.key, ref.key, headers=asked) as exchange:
            _require_range(exchange, ref, start, stop)
            yield exchange

    def ask(
        self, exchange: Exchange, method: str, key: str, what: str, *, query: str = "",
        headers: Mapping[str, str] | None = None, body: bytes | bytearray = b"",
    ) -> None:  # fmt: skip
        """Ask, and return once a success has begun to come."""
        exchange.ask(method, key, self.credentials(), query=query, headers=headers, body=body)
        if not OK <= exchange.status < REDIRECTED:
            said = exchange.read_all(ERROR_BODY_LIMIT)
            raise meaning_of(exchange.status, exchange.headers, said, what)

    @contextmanager
    def _answered(
        self, method: str, key: str, what: str, *, query: str = "",
        headers: Mapping[str, str] | None = None, body: bytes = b"",
    ) -> Iterator[Exchange]:  # fmt: skip
        exchange = self.wire.exchange(silence_seconds=self.silence_seconds)
        try:
            self.ask(exchange, method, key, what, query=query, headers=headers, body=body)
            yield exchange
        finally:
            exchange.close()


def _require_range(exchange: Exchange, ref: ObjectRef, start: int, stop: int) -> None:
    etag = plain_etag(exchange.headers.get("etag", ""))
    if etag and ref.etag and not is_same_etag(etag, ref.etag):
        # Not every storage looks at If-Match.
        raise ObjectChanged(f"{ref.key}: its ETag is {etag}, and not {ref.etag} any more")
    said = exchange.headers.get("content-range", "")
    if said == f"bytes {start}-{stop - 1}/{ref.size}":
        return
    if exchange.status == OK and (start, stop) == (0, ref.size) and not said:
        # All of it was asked for, and all of it comes, if it is as long as it was.
        length = exchange.headers.get("content-length", str(ref.size))
        if length == str(ref.size):
            return
    whole = said.rpartition("/")[2]
    if whole.isdecimal() and int(whole) != ref.size:
        raise ObjectChanged(f"{ref.key}: {whole} bytes long, and not {ref.size}")
    raise PassingTrouble("error", f"{ref.key}: something else than asked for came")


def _moment(said: str) -> datetime | None:
    """Read a date as HTTP has it (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT"."""
    try:
        _weekday, day, month, year, clock, _gmt = said.split()
        hour, minute, second = map(int, clock.split(":"))
        return datetime(
            int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC
        )
    except ValueError:
        return None


def _page(document: bytes) -> Page:
    # Only where something is listed: a fetch that goes on after a death is not to wait for it.
    import xml.etree.ElementTree as ET  # noqa: PLC0415 - see above

    try:
        root = ET.fromstring(document)  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError as error:
        raise PassingTrouble("error", f"the listing is no XML: {error}") from error
    space = root.tag.rpartition("}")[0] + ("}" if "}" in root.tag else "")

    def text(of: ET.Element, name: str) -> str:
        return of.findtext(f"{space}{name}") or ""

    # As form data: a space comes as "+".
    decoded = unquote_plus if text(root, "EncodingType") == "url" else str
    page = Page(
        objects=[
            ObjectRef(
                key=decoded(text(each, "Key")),
                size=int(text(each, "Size")),
                etag=plain_etag(text(each, "ETag")),
                modified_at=datetime.fromisoformat(text(each, "LastModified")),
            )
            for each in root.findall(f"{space}Contents")
        ],
        prefixes=[decoded(text(each, "Prefix")) for each in root.findall(f"{space}CommonPrefixes")],
        next_token=text(root, "NextContinuationToken")
        if text(root, "IsTruncated") == "true"
        else "",
    )
    if text(root, "IsTruncated") != "true" or page.next_token:
        return page
    last = max((each.key for each in page.objects), default="")
    if not last or last < max(page.prefixes, default=""):
        # Going on after a folder would begin inside of it.
        raise PassingTrouble("error", "the listing breaks off, and does not say how to go on")
    return replace(page, next_token=_AFTER + last)
