"""Signed requests over connections that are kept, with nothing between the socket and the caller.

A general HTTP client hides what a fetch has to know: how many bytes of a body came before it broke
off, how many went over the wire in all, and how to end a request from another thread. So this reads
HTTP/1.1 itself, as little of it as an S3 storage speaks.
"""

import fcntl
import os
import socket
import struct
import termios
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from backups.errors import EngineFailed
from backups.storage.answers import PassingTrouble
from backups.storage.signing import signed_headers
from backups.storage.values import Credentials, Place

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 20.0
HEAD_LIMIT = 64 * 1024
# What is handed to a connection at a time.
SENT_BYTES = 256 * 1024
ERROR_BODY_LIMIT = 64 * 1024
NO_BODY = {204, 304}
OK, REDIRECTED = 200, 300


class CertificateRefused(EngineFailed):
    """The storage shows a certificate that this machine does not trust."""

    code = "certificate-refused"
    advice = (
        "This machine does not trust the object storage's certificate. Name a file of trusted "
        "authorities in AWS_CA_BUNDLE or correct the endpoint, then resume the job."
    )


class Cancelled(Exception):
    """Another thread has ended this request."""


class Wire:
    """The way to one place. Safe to share between threads; each request has a connection."""

    def __init__(self, place: Place) -> None:
        self.place = place
        base = urlsplit(_endpoint(place))
        self.host = base.hostname or ""
        self.is_tls = base.scheme == "https"
        self.port = base.port or (443 if self.is_tls else 80)
        if not place.path_style:
            self.host = f"{place.bucket}.{self.host}"
        named = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == (443 if self.is_tls else 80)
        self.authority = named if is_usual else f"{named}:{self.port}"
        self._path = base.path.rstrip("/") + (f"/{place.bucket}" if place.path_style else "")
        self._context = _trusting() if self.is_tls else None
        self._idle: list[tuple[socket.socket, float]] = []
        self._lock = threading.Lock()
        self._is_closed = False
        # When a byte of what was asked for last came, of a monotonic clock, whoever asked for it.
        self.heard_at = 0.0
        # Whoever forgets to close it leaves no open sockets behind.
        weakref.finalize(self, _close_all, self._idle)

    def exchange(self, *, silence_seconds: float) -> "Exchange":
        """Return a request that is still to be asked; another thread may cancel it at any time."""
        return Exchange(self, silence_seconds)

    def path_of(self, key: str) -> str:
        """Return the path of an object's address, quoted as it is sent and signed."""
        return f"{self._path}/{quote(key, safe='/-_.~')}"

    def signed(
        self, method: str, key: str, *, query: str, headers: Mapping[str, str],
        body: bytes | bytearray, credentials: Credentials,
    ) -> Sequence[bytes | bytearray]:  # fmt: skip
        """Return a request as it goes over the wire, a long body as it is: nothing is copied."""
        path = self.path_of(key)
        signed = signed_headers(
            method, path, query, {"Host": self.authority, **headers}, body,
            credentials=credentials, region=self.place.region, at=datetime.now(UTC),  # noqa: TID251 - a signature is of the moment it is sent
        )  # fmt: skip
        target = f"{path}?{query}" if query else path
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in signed.items()]
        if body or method in {"PUT", "POST"}:
            lines.append(f"Content-Length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return [head + body] if len(body) < SENT_BYTES else [head, body]

    def kept_connection(self) -> socket.socket | None:
        """Take a connection that an earlier request has left in good order."""
        now = time.monotonic()
        with self._lock:
            while self._idle:
                sock, since = self._idle.pop()
                if now - since < IDLE_SECONDS:
                    return sock
                sock.close()
        return None

    def new_connection(self) -> socket.socket:
        raw = socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context is None:
            return raw
        return self._context.wrap_socket(raw, server_hostname=self.host)

    def keep(self, sock: socket.socket) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append((sock, time.monotonic()))
                return
        sock.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            _close_all(self._idle)


@dataclass(slots=True)
class Exchange:
    """One request and its answer. ``cancel`` may come from any thread, the rest from one."""

    wire: Wire
    silence_seconds: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    # Every byte of the answer that came, its head included.
    received: int = 0
    _socket: socket.socket | None = None
    _ahead: memoryview = field(default_factory=lambda: memoryview(b""))
    _left: int | None = 0
    _chunked: bool = False
    _may_be_kept: bool = False
    _is_cancelled: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self, method: str, key: str, credentials: Credentials, *, query: str = "",
        headers: Mapping[str, str] | None = None, body: bytes | bytearray = b"",
    ) -> None:  # fmt: skip
        """Send the request and wait for the answer's head: see ``status`` and ``headers``.

        :raises PassingTrouble: if it does not come
        :raises Cancelled: if another thread ends it
        """
        message = self.wire.signed(
            method, key, query=query, headers=headers or {}, body=body, credentials=credentials
        )
        kept = self.wire.kept_connection()
        try:
            if kept is not None:
                try:
                    self._take(kept)
                    return self._send(message, method)
                except (ConnectionError, EOFError):
                    # The other side had closed it meanwhile, which says nothing of its health.
                    if self.received or self._is_cancelled:
                        raise
                    kept.close()
            self._take(self.wire.new_connection())
            return self._send(message, method)
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise self._trouble(error, key) from error

    def read_into(self, buffer: memoryview) -> int:
        """Fill a part of the buffer with what has come of the body; zero at its end.

        :raises PassingTrouble: if the body breaks off or falls silent; what was read holds
        :raises Cancelled: if another thread ends it
        """
        try:
            if self._chunked:
                return self._read_chunk(buffer)
            if self._left == 0:
                return 0
            length = len(buffer) if self._left is None else min(len(buffer), self._left)
            read = self._receive(buffer[:length])
            if self._left is not None:
                self._left -= read
                if not read:
                    raise EOFError
        except (OSError, EOFError, ValueError) as error:
            raise self._trouble(error, "body") from error
        return read

    def read_all(self, limit: int | None = None) -> bytes:
        """Return the rest of the body, or its first ``limit`` bytes."""
        whole = bytearray()
        piece = memoryview(bytearray(64 * 1024))
        while (limit is None or len(whole) < limit) and (read := self.read_into(piece)):
            whole += piece[:read]
        return bytes(whole)

    def cancel(self) -> None:
        """End the request now, in the middle of whatever it waits for."""
        with self._lock:
            self._is_cancelled = True
            if self._socket is not None:
                _shut(self._socket)

    def close(self) -> int:
        """Give the connection back if the answer was read to its end, or else end it.

        Returned is how many bytes had come that nobody has read; they are counted as received.
        """
        with self._lock:
            sock, self._socket = self._socket, None
        if sock is None:
            return 0
        is_read = self._left == 0 and not self._chunked
        if is_read and self._may_be_kept and not self._is_cancelled and not len(self._ahead):
            self.wire.keep(sock)
            return 0
        unread = _unread(sock)
        self.received += unread
        sock.close()
        return unread + len(self._ahead)

    def _take(self, sock: socket.socket) -> None:
        sock.settimeout(self.silence_seconds)
        with self._lock:
            self._socket = sock
            if self._is_cancelled:
                raise EOFError

    def _send(self, message: Sequence[bytes | bytearray], method: str) -> None:
        assert self._socket is not None
        for piece in message:
            left = memoryview(piece)
            while left:
                # The limit on silence is on each piece: sendall would have it on the whole body.
                left = left[self._socket.send(left[:SENT_BYTES]) :]
        self._read_head()
        while 100 <= self.status < OK:  # noqa: PLR2004 - HTTP's interim answers
            self._read_head()
        self._may_be_kept = self.headers.get("connection", "").lower() != "close"
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        self._left = int(length) if length is not None else None
        if method == "HEAD" or self.status in NO_BODY:
            self._chunked, self._left = False, 0
        elif length is None and not self._chunked:
            self._may_be_kept = False

    def _read_head(self) -> None:
        data = bytearray(self._ahead)
        piece = bytearray(16 * 1024)
        assert self._socket is not None
        while (end := data.find(b"\r\n\r\n")) < 0:
            read = self._socket.recv_into(piece)
            if not read or len(data) > HEAD_LIMIT:
                raise EOFError
            self.received += read
            data += memoryview(piece)[:read]
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        self._ahead = memoryview(bytes(data[end + 4 :]))
        self.status = int(first.split(" ", 2)[1])
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _colon, value in pairs}

    def _receive(self, buffer: memoryview) -> int:
        if len(self._ahead):
            self._hear()
            taken = min(len(buffer), len(self._ahead))
            buffer[:taken] = self._ahead[:taken]
            self._ahead = self._ahead[taken:]
            return taken
        assert self._socket is not None
        read = self._socket.recv_into(buffer)
        self.received += read
        if read:
            self._hear()
        return read

    def _hear(self) -> None:
        # A refusal is no sign that the storage gives what it is asked for.
        if OK <= self.status < REDIRECTED:
            self.wire.heard_at = time.monotonic()

    def _read_chunk(self, buffer: memoryview) -> int:
        """Read within a chunk; ``_left`` is what is left of it."""
        if not self._left:
            self._left = int(self._read_line().split(b";")[0], 16)
            if not self._left:
                while self._read_line():
                    pass
                self._chunked = False
                return 0
        read = self._receive(buffer[: min(len(buffer), self._left)])
        if not read:
            raise EOFError
        self._left -= read
        if not self._left:
            self._read_line()
        return read

    def _read_line(self) -> bytes:
        line = bytearray()
        one = memoryview(bytearray(1))
        while not line.endswith(b"\r\n"):
            if not self._receive(one) or len(line) > HEAD_LIMIT:
                raise EOFError
            line += one
        return bytes(line[:-2])

    def _trouble(self, error: Exception, what: str) -> Exception:
        with self._lock:
            is_connected = self._socket is not None
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            if self._is_cancelled:
                return Cancelled(what)
        if self.wire.is_tls and _is_about_trust(error):
            return CertificateRefused(f"{self.wire.authority}: {error}")
        if isinstance(error, TimeoutError) and is_connected:
            return PassingTrouble("silent", f"{what}: no byte for {self.silence_seconds:.0f} s")
        if isinstance(error, (ConnectionRefusedError, socket.gaierror)) or not self.received:
            return PassingTrouble("unreachable", f"{what}: {error}")
        return PassingTrouble("reset", f"{what}: {error or 'the answer ended early'}")


def _trusting() -> "ssl.SSLContext":
    # Only where there is TLS: a fetch that goes on after a death is not to wait for it.
    import ssl  # noqa: PLC0415 - see above

    # Those of the system, unless somebody names others as for every tool of AWS.
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)


def _is_about_trust(error: Exception) -> bool:
    import ssl  # noqa: PLC0415 - as above

    return isinstance(error, ssl.SSLCertVerificationError)


def _close_all(idle: list[tuple[socket.socket, float]]) -> None:
    while idle:
        idle.pop()[0].close()


def _unread(sock: socket.socket) -> int:
    answer = bytearray(struct.calcsize("i"))
    fcntl.ioctl(sock, termios.FIONREAD, answer)
    return int(struct.unpack("i", answer)[0])


def _shut(sock: socket.socket) -> None:
    # The plain socket's own method: that of ssl would take the session from under the reader.
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        # It was not connected any more, so nobody waits for it.
        return


def _endpoint(place: Place) -> str:
    if place.endpoint:
        return place.endpoint
    suffix = "amazonaws.com.cn" if place.region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{place.region}.{suffix}"
