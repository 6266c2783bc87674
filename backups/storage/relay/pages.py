"""One page of a listing, cut from all keys as S3 cuts it."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from backups.storage.relay.refusals import S3Error
from backups.storage.s3 import ObjectRef

MOST_KEYS = 1000
# Sorts behind every key that goes on after the same beginning.
LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parameters of ListObjects, either version."""

    version: int
    prefix: str
    delimiter: str
    max_keys: int
    after: str
    token: str
    encode: bool
    fetch_owner: bool

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Asked":
        """Read the query.

        :raises S3Error: InvalidArgument
        """
        version = 2 if query.get("list-type") == "2" else 1
        max_keys = query.get("max-keys", str(MOST_KEYS))
        if not max_keys.isdecimal():
            raise _invalid("max-keys has to be a whole number.")
        encoding = query.get("encoding-type", "")
        if encoding not in {"", "url"}:
            raise _invalid("The only encoding-type is url.")
        return cls(
            version=version,
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            max_keys=min(int(max_keys), MOST_KEYS),
            after=query.get("start-after" if version == 2 else "marker", ""),  # noqa: PLR2004
            token=query.get("continuation-token", ""),
            encode=encoding == "url",
            fetch_owner=version == 1 or query.get("fetch-owner") == "true",
        )

    @property
    def begin_after(self) -> str:
        """Return the name that the page begins after.

        :raises S3Error: InvalidArgument if the token is none of ours
        """
        return _read_token(self.token) if self.token else self.after


@dataclass(slots=True, kw_only=True)
class Page:
    """Objects and common prefixes, in order. ``last`` is the name that the next page follows."""

    objects: list[ObjectRef] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    is_truncated: bool = False
    last: str = ""

    @property
    def next_token(self) -> str:
        return base64.urlsafe_b64encode(self.last.encode()).decode()


def cut(keys: Sequence[str], refs: Mapping[str, ObjectRef], asked: Asked) -> Page:
    """Cut a page from keys, which are sorted and may hold more than was asked for."""
    page = Page()
    after = asked.begin_after
    at = max(bisect_left(keys, asked.prefix), bisect_right(keys, after))
    while at < len(keys) and keys[at].startswith(asked.prefix):
        name = common = _common_prefix(keys[at], asked)
        if common and common == after:
            at = bisect_left(keys, common + LAST, at)
            continue
        if len(page.objects) + len(page.prefixes) >= asked.max_keys:
            # S3 calls a page of no keys complete.
            page.is_truncated = asked.max_keys > 0
            break
        if common:
            page.prefixes.append(common)
            at = bisect_left(keys, common + LAST, at)
        else:
            name = keys[at]
            page.objects.append(refs[name])
            at += 1
        page.last = name
    return page


def _common_prefix(key: str, asked: Asked) -> str:
    if not asked.delimiter:
        return ""
    end = key.find(asked.delimiter, len(asked.prefix))
    return key[: end + len(asked.delimiter)] if end >= 0 else ""


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _invalid("The continuation token provided is incorrect") from None


def _invalid(message: str) -> S3Error:
    return S3Error(HTTPStatus.BAD_REQUEST, "InvalidArgument", message)
