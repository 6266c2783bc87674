"""The relay's answers to what clients ask; bodies are sent by the kernel from the cache's files."""

import contextlib
import logging
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import TypeVar

from backups.errors import EngineFailed
from backups.storage.relay import documents
from backups.storage.relay.archive import Archive, item_of
from backups.storage.relay.count import Count
from backups.storage.relay.pages import Asked, cut
from backups.storage.relay.ranges import RangeInvalid, Span, is_unmodified, span_of
from backups.storage.relay.refusals import (
    S3Error,
    meaning_of,
    no_such_bucket,
    not_implemented,
    read_only,
    slow_down,
)
from backups.storage.relay.reply import DRIP_SECONDS, FileShorter, Reply, reset
from backups.storage.relay.request import Request
from backups.storage.relay.signatures import check_signature
from backups.storage.s3 import Credentials, ObjectRef

logger = logging.getLogger(__name__)

# A client that neither reads nor writes for so long is gone. One that has to wait for us is not
# counted: it hears something every few seconds.
SILENT_CLIENT_SECONDS = 1800
# How long a question is kept waiting whose answer's first line is not known yet.
PATIENCE_SECONDS = 40.0
# What comes with a refused upload is taken in up to here, so that the refusal arrives.
MOST_DRAINED_BYTES = 64 * 1024 * 1024
XML = "application/xml"
# Questions about a bucket or an object that reading and listing do not answer.
SUBRESOURCES = frozenset(
    {
        "accelerate", "acl", "analytics", "attributes", "cors", "encryption", "inventory",
        "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock",
        "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
        "requestPayment", "retention", "tagging", "torrent", "uploadId", "uploads", "versions",
        "website",
    }
)  # fmt: skip

T = TypeVar("T")
Head = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What every connection serves from."""

    archive: Archive
    bucket: str
    region: str
    credentials: Credentials
    count: Count
    now: Callable[[], datetime]


class Handler(BaseHTTPRequestHandler):
    """One connection and the requests on it."""

    protocol_version = "HTTP/1.1"
    timeout = SILENT_CLIENT_SECONDS
    connection: socket.socket

    def __init__(
        self,
        serving: Serving,
        connection: socket.socket,
        address: tuple[str, int],
        server: BaseServer,
    ) -> None:
        self._serving = serving
        # The base class serves the whole connection from here.
        super().__init__(connection, address, server)

    def handle(self) -> None:
        # The client went away, or is no client of ours (TLS or none): nothing to tell anybody.
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        logger.debug(format, *args)

    def handle_expect_100(self) -> bool:
        # Nothing with a body is taken, so nobody is asked to send one.
        return True

    def _refuse_writing(self) -> None:
        self.close_connection = True
        self._refuse(self._parsed(), read_only())
        self._drain()

    do_PUT = do_POST = do_DELETE = do_PATCH = _refuse_writing  # noqa: N815 - the base class's names

    def do_GET(self) -> None:
        request = self._parsed()
        try:
            check_signature(request, self._serving.credentials, at=self._serving.now())
            self._answer(request)
        except S3Error as error:
            self._refuse(request, error)
        except _BrokenOff:
            # Better no answer than one that looks whole.
            reset(self.connection)
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _parsed(self) -> Request:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            low = name.lower()
            headers[low] = f"{headers[low]},{value}" if low in headers else value
        return Request.parse(self.command, self.path, headers, served=self._serving.bucket)

    def _answer(self, request: Request) -> None:
        serving = self._serving
        if not request.bucket:
            self._send_document(documents.buckets_document(serving.bucket))
        elif request.bucket != serving.bucket:
            raise no_such_bucket(serving.bucket)
        elif odd := SUBRESOURCES & request.query.keys():
            raise not_implemented(f"?{min(odd)}")
        elif request.key:
            self._answer_object(request)
        elif request.method == "HEAD":
            self._send(HTTPStatus.OK, [("x-amz-bucket-region", serving.region)], b"")
        elif "location" in request.query:
            self._send_document(documents.location_document(serving.region))
        elif "versioning" in request.query:
            self._send_document(documents.versioning_document())
        else:
            self._answer_listing(Asked.parse(request.query))

    # -- listings

    def _answer_listing(self, asked: Asked) -> None:
        serving = self._serving
        serving.count.asked("")
        # A token that is none of ours is refused before anybody is kept waiting.
        _ = asked.begin_after
        reply = Reply(self.connection, HTTPStatus.OK, self._headers([("Content-Type", XML)]))
        future = serving.archive.listing(asked.prefix, asked.delimiter)
        try:
            while not _is_there(future, DRIP_SECONDS):
                reply.drip()
            listing = future.result()
        except EngineFailed as failure:
            raise _given_up(failure, reply) from failure
        document = documents.listing_document(
            serving.bucket, asked, cut(listing.keys, listing.refs, asked)
        )
        reply.finish_head([("Content-Length", str(len(document)))])
        reply.send(document)
        serving.count.sent(len(document))

    # -- objects

    def _answer_object(self, request: Request) -> None:
        ref = self._known(self._serving.archive.find(request.key))
        if is_unmodified(request.headers, ref):
            self._send(HTTPStatus.NOT_MODIFIED, [("ETag", f'"{ref.etag}"')], b"")
            return
        span = span_of(request.headers.get("range", ""), ref.size)
        headers = [
            ("ETag", f'"{ref.etag}"'),
            (
                "Last-Modified",
                formatdate((ref.modified_at or documents.EPOCH).timestamp(), usegmt=True),
            ),
            ("Accept-Ranges", "bytes"),
            ("Content-Type", "binary/octet-stream"),
            ("Content-Length", str(span.stop - span.start)),
        ]
        if span.partial:
            headers.append(("Content-Range", span.content_range))
        status = HTTPStatus.PARTIAL_CONTENT if span.partial else HTTPStatus.OK
        reply = Reply(self.connection, status, self._headers(headers))
        if request.method == "HEAD" or not ref.size:
            reply.finish_head()
        else:
            self._serving.count.asked(ref.key)
            self._send_span(ref, span, reply)

    def _known(self, future: Future[T]) -> T:
        try:
            return future.result(timeout=PATIENCE_SECONDS)
        except FutureTimeoutError:
            raise slow_down("the storage is waited for; ask again") from None
        except EngineFailed as failure:
            raise meaning_of(failure) from failure

    def _send_span(self, ref: ObjectRef, span: Span, reply: Reply) -> None:
        archive = self._serving.archive
        item = item_of(ref, self._known(archive.hashes(ref)))
        sent = span.start
        with contextlib.ExitStack() as stack:
            file = None
            ready = stack.enter_context(
                contextlib.closing(archive.read(item, span.start, span.stop))
            )
            try:
                for until in ready:
                    if until is None:
                        reply.drip(file)
                        continue
                    if file is None:
                        file = stack.enter_context(archive.path_of(item).open("rb"))
                    reply.offer(file, sent, until, is_end=until == span.stop)
                    self._serving.count.sent(until - sent)
                    sent = until
            except EngineFailed as failure:
                raise _given_up(failure, reply) from failure
            except FileShorter as fault:
                raise _BrokenOff from fault

    # -- answers of a known length

    def _send_document(self, document: bytes) -> None:
        self._send(HTTPStatus.OK, [("Content-Type", XML)], document)

    def _refuse(self, request: Request, error: S3Error) -> None:
        logger.info("relay: %s %s: %s %s", request.method, request.resource, error.code, error)
        request_id = secrets.token_hex(8)
        headers = [("Content-Type", XML)]
        if isinstance(error, RangeInvalid):
            headers.append(("Content-Range", f"bytes */{error.size}"))
        document = documents.error_document(error, resource=request.resource, request_id=request_id)
        self._send(error.status, headers, document)

    def _send(self, status: HTTPStatus, headers: Head, body: bytes) -> None:
        length = [] if status == HTTPStatus.NOT_MODIFIED else [("Content-Length", str(len(body)))]
        reply = Reply(self.connection, status, self._headers([*headers, *length]))
        reply.finish_head()
        if body and self.command != "HEAD":
            reply.send(body)

    def _headers(self, headers: Head) -> Head:
        common = [
            ("Date", formatdate(usegmt=True)),
            ("Server", "highwater-relay"),
            ("x-amz-request-id", secrets.token_hex(8)),
        ]
        if self.close_connection:
            common.append(("Connection", "close"))
        return [*common, *headers]

    def _drain(self) -> None:
        """Take in what a client sends regardless, or closing would lose it our answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(5)
        left = MOST_DRAINED_BYTES
        while left > 0 and (data := self.rfile.read1(65536)):
            left -= len(data)


class _BrokenOff(Exception):
    """The answer cannot be brought to its end, and has begun."""


def _given_up(failure: EngineFailed, reply: Reply) -> Exception:
    if reply.has_begun:
        logger.warning("relay: an answer is broken off: %s", failure)
        return _BrokenOff()
    return meaning_of(failure)


def _is_there(future: Future[T], seconds: float) -> bool:
    try:
        future.exception(timeout=seconds)
    except FutureTimeoutError:
        return False
    return True
