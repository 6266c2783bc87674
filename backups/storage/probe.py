"""Small questions to a bucket: how quick it answers, how much it gives, and whether it lies.

Each is asked once, and over after a limit on all of it, whatever the storage does meanwhile. What
is written is a few dozen bytes under one key, read back, and taken away again.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from backups.errors import (
    BucketMissing,
    CredentialsMissing,
    CredentialsRefused,
    EngineFailed,
    ObjectChanged,
    ObjectMissing,
)
from backups.storage.answers import ClockWrong, PassingTrouble, RegionWrong
from backups.storage.s3 import Bucket
from backups.storage.values import ObjectRef
from backups.storage.wire import CertificateRefused, Exchange

PROBE_FOLDER = "highwater-probe"
# What is read of a larger object at a time.
PIECE_BYTES = 256 * 1024
# No question takes longer than this, however the answer drips.
LIMIT_SECONDS = 20.0
_SLOW_DOWN, _SILENT, _WRONG = "slow-down", "silent", "wrong-length"
_WORDS: dict[type[Exception], str] = {
    CredentialsRefused: "denied",
    CredentialsMissing: "keys",
    BucketMissing: "bucket",
    ObjectMissing: "missing",
    ObjectChanged: "changed",
    ClockWrong: "clock",
    RegionWrong: "region",
    CertificateRefused: "certificate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one question went. ``kind`` is GET, RANGE, PUT or LIST; ``error`` is empty or a word.

    The words are slow-down, silent, unreachable, reset, error (what passes), denied, keys, bucket,
    missing, changed, clock, region, certificate (what does not), and wrong-length and stale for an
    answer that is not true.
    """

    kind: str
    seconds: float
    first_byte_seconds: float | None = None
    bytes: int = 0
    error: str = ""
    clock_ahead_seconds: float | None = None
    # Of RANGE: how the storage says that it encrypts the object, as "AES256"; empty if it does not.
    encryption: str = ""


def probe(
    bucket: Bucket,
    *,
    name: str,
    piece_of: ObjectRef | None = None,
    start: int = 0,
    may_write: bool = True,
    limit_seconds: float = LIMIT_SECONDS,
) -> Iterator[Answer]:
    """Ask a bucket some small questions, and yield how each went.

    PUT writes a small object under ``name``, GET reads it, LIST looks for it; it is taken away
    again. Where nothing may be written, GET reads the first bytes of ``piece_of`` and LIST names
    any one object. RANGE reads a piece of ``piece_of`` from ``start`` on. Questions without an
    object are left out, and all that follow once the storage asks to be asked less.

    :raises CredentialsMissing: if the keys are not where they should be
    """
    asker = _Asker(bucket, limit_seconds)
    bucket.credentials()
    key = bucket.place.key(PROBE_FOLDER, name)
    content = f"highwater probe {name} {time.time_ns()}\n".encode()
    has_written = False
    if may_write:
        put = asker.ask("PUT", lambda timed: _put(bucket, timed, key, content))
        has_written = not put.error
        yield put
        if put.error == _SLOW_DOWN:
            return
    for answer in _readings(asker, key if has_written else "", content, piece_of, start):
        yield answer
        if answer.error == _SLOW_DOWN:
            break
    if has_written:
        asker.ask("DELETE", lambda timed: _delete(bucket, timed, key))


def _readings(
    asker: "_Asker", key: str, content: bytes, piece_of: ObjectRef | None, start: int
) -> Iterator[Answer]:
    bucket = asker.bucket
    if key:
        yield asker.ask("GET", lambda timed: _get(bucket, timed, key, content))
    elif piece_of is not None:
        length = min(len(content), piece_of.size)
        yield asker.ask("GET", lambda timed: _piece(bucket, timed, piece_of, 0, length))
    yield asker.ask("LIST", lambda timed: _list(bucket, timed, key))
    if piece_of is not None:
        begin = max(0, min(start, piece_of.size - PIECE_BYTES))
        length = min(PIECE_BYTES, piece_of.size)
        yield asker.ask("RANGE", lambda timed: _piece(bucket, timed, piece_of, begin, length))


class _Wrong(Exception):
    """An answer came that cannot be true; its argument is the word for it."""


@dataclass(slots=True)
class _Asker:
    bucket: Bucket
    limit_seconds: float

    def ask(self, kind: str, question: Callable[["_Timed"], int]) -> Answer:
        """Ask in a thread of its own: not even a name that is not resolved holds this up."""
        silence = min(self.bucket.silence_seconds, self.limit_seconds)
        timed = _Timed(self.bucket.wire.exchange(silence_seconds=silence))
        told: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                told.put(question(timed))
            except Exception as fault:  # noqa: BLE001 - told to whoever waits
                told.put(fault)
            finally:
                timed.exchange.close()

        threading.Thread(target=run, name=f"probe-{kind}", daemon=True).start()
        try:
            came = told.get(timeout=self.limit_seconds)
        except queue.Empty:
            timed.exchange.cancel()
            return Answer(kind=kind, seconds=self.limit_seconds, error=_SILENT)
        return Answer(
            kind=kind,
            seconds=time.monotonic() - timed.began,
            first_byte_seconds=timed.first_byte_seconds,
            bytes=came if isinstance(came, int) else 0,
            error=_word_for(came) if isinstance(came, Exception) else "",
            clock_ahead_seconds=timed.clock_ahead_seconds,
            encryption=timed.encryption if kind == "RANGE" else "",
        )


class _Timed:
    """One request, and when its answer began."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.began = time.monotonic()
        self.first_byte_seconds: float | None = None
        self.clock_ahead_seconds: float | None = None
        self.encryption = ""

    def ask(
        self, bucket: Bucket, method: str, key: str, *, query: str = "",
        headers: dict[str, str] | None = None, body: bytes = b"",
    ) -> None:  # fmt: skip
        began, asked_at = time.monotonic(), datetime.now(UTC)  # noqa: TID251 - the clock itself is in question
        try:
            bucket.ask(self.exchange, method, key, key, query=query, headers=headers, body=body)
        finally:
            if self.exchange.status:
                self.first_byte_seconds = time.monotonic() - began
                self.encryption = self.exchange.headers.get("x-amz-server-side-encryption", "")
                self.clock_ahead_seconds = _clock_ahead(
                    self.exchange.headers.get("date", ""), asked_at, self.first_byte_seconds
                )


def _put(bucket: Bucket, timed: _Timed, key: str, content: bytes) -> int:
    timed.ask(bucket, "PUT", key, body=content)
    timed.exchange.read_all()
    return len(content)


def _delete(bucket: Bucket, timed: _Timed, key: str) -> int:
    timed.ask(bucket, "DELETE", key)
    timed.exchange.read_all()
    return 0


def _get(bucket: Bucket, timed: _Timed, key: str, content: bytes) -> int:
    timed.ask(bucket, "GET", key)
    came = timed.exchange.read_all(2 * len(content))
    if len(came) != len(content):
        raise _Wrong(_WRONG)
    if came != content:
        raise _Wrong("stale")
    return len(came)


def _list(bucket: Bucket, timed: _Timed, key: str) -> int:
    prefix = key or (bucket.place.prefix and f"{bucket.place.prefix}/")
    query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='-_.~')}"
    timed.ask(bucket, "GET", "", query=query)
    came = timed.exchange.read_all()
    if key and f"<Key>{escape(key)}</Key>".encode() not in came:
        raise _Wrong("stale")
    return len(came)


def _piece(bucket: Bucket, timed: _Timed, ref: ObjectRef, start: int, length: int) -> int:
    timed.ask(bucket, "GET", ref.key, headers={"Range": f"bytes={start}-{start + length - 1}"})
    came = len(timed.exchange.read_all(length + 1))
    said = timed.exchange.headers.get("content-range", "")
    whole = said.rpartition("/")[2]
    if came != length or (whole.isdecimal() and int(whole) != ref.size):
        raise _Wrong(_WRONG)
    return came


def _word_for(fault: Exception) -> str:
    if isinstance(fault, _Wrong):
        return str(fault)
    if isinstance(fault, PassingTrouble):
        return _SLOW_DOWN if fault.reason == "busy" else fault.reason
    if isinstance(fault, EngineFailed):
        return _WORDS.get(type(fault), "error")
    return "error"


def _clock_ahead(said: str, asked_at: datetime, seconds: float) -> float | None:
    """Return how far the storage's clock is ahead, by the date of its answer; None if it has none.

    A date has whole seconds, so that it is half a second behind on the average.
    """
    try:
        there = parsedate_to_datetime(said)
    except ValueError:
        return None
    if there.tzinfo is None:
        there = there.replace(tzinfo=UTC)
    return round((there - asked_at).total_seconds() + 0.5 - seconds / 2, 1)
