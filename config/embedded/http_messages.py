"""Just enough of HTTP/1.1 to carry messages on unchanged: where a head ends, how long a body is."""

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass

HEAD_LIMIT = 256 * 1024
HTTP_NO_BODY = frozenset({204, 304})


class Hung(Exception):
    """The other side ended in the middle of a message."""


class Connection:
    """A socket with what was read too far kept for the next read."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._ahead = b""

    def send(self, data: bytes | memoryview) -> None:
        self._socket.sendall(data)

    def is_gone(self) -> bool:
        """Whether the other side has ended the connection."""
        readable = select.select([self._socket], [], [], 0)[0]
        try:
            return bool(readable) and not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def drain(self) -> None:
        """Say that nothing more comes, and take in what is still under way.

        Closing with unread bytes would reset the connection, and the answer might be lost.
        """
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(5)
        while self._socket.recv(65536):
            pass

    def read_head(self) -> "Head | None":
        """Return the next message's head, or None if the other side has ended in good order."""
        data = self._ahead
        while (end := data.find(b"\r\n\r\n")) < 0:
            more = self._socket.recv(65536)
            if not more and not data:
                return None
            if not more or len(data) > HEAD_LIMIT:
                raise Hung
            data += more
        self._ahead = data[end + 4 :]
        return Head.parse(data[: end + 4])

    def read_line(self) -> bytes:
        data = self._ahead
        while (end := data.find(b"\r\n")) < 0:
            more = self._socket.recv(65536)
            if not more or len(data) > HEAD_LIMIT:
                raise Hung
            data += more
        self._ahead = data[end + 2 :]
        return data[: end + 2]

    def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer in part or as a whole; zero means the end."""
        if self._ahead:
            taken = min(len(buffer), len(self._ahead))
            buffer[:taken] = self._ahead[:taken]
            self._ahead = self._ahead[taken:]
            return taken
        return self._socket.recv_into(buffer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first lines of a request or an answer, with the bytes they came as."""

    raw: bytes
    first: tuple[str, str, str]
    fields: dict[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> "Head":
        first, *lines = raw.decode("latin-1").split("\r\n")
        words = [*first.split(" ", 2), "", ""]
        pairs = (line.partition(":") for line in lines if line)
        fields = {name.strip().lower(): value.strip() for name, _colon, value in pairs}
        return cls(raw=raw, first=(words[0], words[1], words[2]), fields=fields)

    @property
    def method(self) -> str:
        return self.first[0]

    @property
    def target(self) -> str:
        return self.first[1]

    @property
    def status(self) -> int:
        return int(self.first[1])

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close" or self.first[0] == "HTTP/1.0"

    @property
    def expects_continue(self) -> bool:
        return self.fields.get("expect", "").lower() == "100-continue"

    def body_of_request(self) -> "Body":
        return Body(chunked=self._chunked, length=int(self.fields.get("content-length", "0")))

    def body_of_answer_to(self, method: str) -> "Body":
        if method == "HEAD" or self.status in HTTP_NO_BODY:
            return Body(chunked=False, length=0)
        length = self.fields.get("content-length")
        return Body(chunked=self._chunked, length=None if length is None else int(length))

    @property
    def _chunked(self) -> bool:
        return "chunked" in self.fields.get("transfer-encoding", "").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """How a body is delimited: in chunks, by its length, or, with none, by the connection's end."""

    chunked: bool
    length: int | None

    def pieces(self, source: Connection, size: int) -> Iterator[memoryview]:
        """Yield the body as it arrives, framing included. A piece is valid until the next one.

        :raises Hung: if the other side ends in the middle
        """
        buffer = memoryview(bytearray(size))
        if self.chunked:
            yield from self._chunks(source, buffer)
            return
        left = self.length
        while left is None or left > 0:
            read = source.read_into(buffer if left is None else buffer[: min(size, left)])
            if not read:
                if left is None:
                    return
                raise Hung
            yield buffer[:read]
            left = None if left is None else left - read

    @staticmethod
    def _chunks(source: Connection, buffer: memoryview) -> Iterator[memoryview]:
        while True:
            line = source.read_line()
            yield memoryview(bytearray(line))
            left = int(line.split(b";")[0], 16)
            if not left:
                break
            left += 2
            while left:
                read = source.read_into(buffer[: min(len(buffer), left)])
                if not read:
                    raise Hung
                yield buffer[:read]
                left -= read
        while True:
            trailer = source.read_line()
            yield memoryview(bytearray(trailer))
            if trailer == b"\r\n":
                return
