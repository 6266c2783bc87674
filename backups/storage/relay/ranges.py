"""Which bytes of an object a request asks for, and whether it wants them at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from backups.storage.relay.refusals import S3Error
from backups.storage.s3 import ObjectRef

_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)")


class RangeInvalid(S3Error):
    """The range begins behind the object's end; the answer has to name the size."""

    def __init__(self, size: int) -> None:
        super().__init__(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        self.size = size


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes ``start`` to ``stop`` (not included) of an object of ``size``."""

    start: int
    stop: int
    size: int
    partial: bool

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def span_of(header: str, size: int) -> Span:
    """Read a Range header. One that cannot be read, or names several ranges, asks for everything.

    :raises RangeInvalid: if no byte of the object lies in it
    """
    whole = Span(start=0, stop=size, size=size, partial=False)
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return whole
    first, last = found.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return whole
    if start >= size:
        raise RangeInvalid(size)
    return Span(start=start, stop=stop, size=size, partial=True)


def is_unmodified(headers: Mapping[str, str], ref: ObjectRef) -> bool:
    """Say whether the client has this very object already (304).

    :raises S3Error: PreconditionFailed if it wants only another one
    """
    wanted = headers.get("if-match")
    if wanted is not None and not _names(wanted, ref.etag):
        raise S3Error(
            HTTPStatus.PRECONDITION_FAILED,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    known = headers.get("if-none-match")
    return known is not None and _names(known, ref.etag)


def _names(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or etag in tags
