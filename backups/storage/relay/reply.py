"""An answer on its way to a client, which is kept patient while there is nothing to send.

Every client has a limit on silence, often 60 s, and takes its end for a failure of its own. So a
little is always held back, and given away byte by byte while the storage does not answer: of the
body its last bytes, and before there is any, of a header's value that means nothing.
"""

import contextlib
import socket
import struct
from collections.abc import Iterable
from http import HTTPStatus
from typing import BinaryIO

HELD_BACK = 32 * 1024
DRIP_SECONDS = 2.0


class Reply:
    """One answer: its head, then what is offered of a file, then its end."""

    def __init__(
        self, connection: socket.socket, status: HTTPStatus, headers: Iterable[tuple[str, str]]
    ) -> None:
        self._connection = connection
        self._first = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("latin-1")
        self._rest = encoded(headers)
        self._head_sent = False
        self._sent_until = -1
        self._offered_until = -1
        self.has_begun = False

    def drip(self, file: BinaryIO | None = None) -> None:
        """Send next to nothing, so that the client hears something."""
        if self._head_sent:
            if file is not None and self._sent_until < self._offered_until:
                self._send_file(file, self._sent_until + 1)
        elif self.has_begun:
            self._connection.sendall(b".")
        else:
            self.has_begun = True
            self._connection.sendall(self._first + b"x-amz-id-2: ")

    def finish_head(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send what is left of the head, with headers that became known only now."""
        before = b"\r\n" if self.has_begun else self._first
        self.has_begun = self._head_sent = True
        self._connection.sendall(before + self._rest + encoded(headers) + b"\r\n")

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def offer(self, file: BinaryIO, start: int, stop: int, *, is_end: bool) -> None:
        """Send what may be sent of the file up to ``stop``: all but a little, until the end."""
        if not self._head_sent:
            self.finish_head()
        if self._sent_until < 0:
            self._sent_until = start
        self._offered_until = stop
        upto = stop if is_end else stop - HELD_BACK
        if upto > self._sent_until:
            self._send_file(file, upto)

    def _send_file(self, file: BinaryIO, stop: int) -> None:
        wanted = stop - self._sent_until
        sent = self._connection.sendfile(file, self._sent_until, wanted)
        self._sent_until += sent
        if sent < wanted:
            raise FileShorter


class FileShorter(Exception):
    """The file ended before what it had promised: somebody else changed it."""


def encoded(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1", "replace")


def reset(connection: socket.socket) -> None:
    """End a connection so that nobody takes what was sent for the whole."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The other end learns of it when the descriptor is closed; our own threads at once.
        connection.shutdown(socket.SHUT_RD)
