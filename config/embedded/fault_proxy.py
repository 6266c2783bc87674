"""A loopback proxy before an S3 server that slows, cuts, stalls, refuses and corrupts on demand.

It passes the request on as it came, the Host header too: the client signs for the proxy's address,
and the server checks the signature against that header.

As a program: python -m config.embedded.fault_proxy --target PORT --port PORT [--faults FILE]
FILE holds `Faults` as JSON and is read again whenever it changes; --counts FILE is kept up to date.
"""

import argparse
import contextlib
import math
import select
import signal
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from config.embedded.addresses import HOST, write_private
from config.embedded.faults import Count, Dice, Faults, Ledger, Throttle
from config.embedded.http_messages import Body, Connection, Head, Hung

PIECE = 256 * 1024
SLOW_DOWN = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code>"
    b"<Message>Please reduce your request rate.</Message></Error>"
)


class FaultProxy:
    """The proxy as a context manager; ``faults`` may be replaced at any time while it runs."""

    def __init__(
        self, *, target: int, port: int = 0, faults: Faults | None = None, seed: int = 1
    ) -> None:
        self.target = target
        self.ledger = Ledger()
        self.dice = Dice(seed)
        self.throttle = Throttle()
        self._faults = faults or Faults()
        self._since = time.monotonic()
        self._listener = _listen(port)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name="fault-proxy", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def faults(self) -> Faults:
        return self._faults.at(time.monotonic() - self._since)

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._lock:
            was, self._faults = self._faults, faults
            self._since = time.monotonic()
            if faults.down and not was.down:
                # A closed port refuses; so does a server that is really down.
                _unlisten(self._listener)
            elif was.down and not faults.down and not self._ended.is_set():
                self._listener = _listen(self.port)
        if faults.down:
            self.cut_all()

    def counts(self) -> dict[str, Count]:
        """Return what has passed so far, by "bucket/key"."""
        return self.ledger.snapshot()

    def total(self) -> Count:
        """Return what has passed so far, in all."""
        return self.ledger.total()

    def cut_all(self) -> None:
        """Reset every open connection."""
        with self._lock:
            still_open = list(self._open)
        for each in still_open:
            _reset(each)

    def start(self) -> Self:
        self._acceptor.start()
        return self

    def stop(self) -> None:
        self._ended.set()
        with self._lock:
            _unlisten(self._listener)
        self.cut_all()
        self._acceptor.join(timeout=5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the proxy."""
        self._ended.wait(seconds)

    def fall_silent(self, seconds: float, client: Connection) -> None:
        """Wait for as long as somebody is there to wait for the answer.

        :raises Hung: if the client went away
        """
        ended = time.monotonic() + seconds
        while (left := ended - time.monotonic()) > 0 and not self._ended.is_set():
            if client.is_gone():
                raise Hung
            self.pause(min(left, 0.1))

    def _accept(self) -> None:
        while not self._ended.is_set():
            listener = self._listener
            try:
                if not select.select([listener], [], [], 0.05)[0]:
                    continue
                client = listener.accept()[0]
            except (OSError, ValueError):
                # Closed under us: down for now, or the end.
                self.pause(0.02)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((HOST, self.target), timeout=10)
        except OSError:
            _reset(client)
            return
        pair = {client, server}
        with self._lock:
            self._open |= pair
        try:
            for each in pair:
                each.settimeout(600)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            exchange = _Exchange(self, Connection(client), Connection(server))
            while not self._faults.down and exchange.carry_one():
                pass
        except _Cut:
            _reset(client)
        except (OSError, Hung):
            # One side went away, or was cut by us: so does the other.
            _reset(client)
        finally:
            with self._lock:
                self._open -= pair
            for each in pair:
                each.close()


class _Cut(Exception):
    """The faults ask for a reset here."""


class _Exchange:
    """Requests and answers on one connection, one after the other."""

    def __init__(self, proxy: FaultProxy, client: Connection, server: Connection) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self.throttle = Throttle()
        # What has passed over this connection, and at which byte it is cut.
        self.passed = 0
        self.cut_at = self._cut_of(proxy.faults)

    def _cut_of(self, faults: Faults) -> int | None:
        if faults.cut_after_bytes is None:
            return None
        return self.proxy.dice.between(
            faults.cut_after_bytes, faults.cut_before_bytes or faults.cut_after_bytes
        )

    def carry_one(self) -> bool:
        """Carry one request and its answer; return whether another may follow."""
        request = self.client.read_head()
        if request is None:
            return False
        key = unquote(urlsplit(request.target).path).strip("/")
        faults = self.proxy.faults
        concerned = faults.concern(key)
        self.proxy.ledger.add(key, requests=1)
        if concerned and faults.latency_seconds:
            self.proxy.pause(faults.latency_seconds)
        if concerned and self.proxy.dice.hits(faults.silent_share):
            self.proxy.ledger.add(key, silences=1)
            self.proxy.fall_silent(faults.silent_seconds, self.client)
        if concerned and self.proxy.dice.hits(faults.error_share):
            return self._refuse(key)
        self.server.send(request.raw)
        if request.expects_continue and not self._may_continue():
            # The server has answered already and wants no body; the client must begin anew.
            return False
        self._carry_up(request, key)
        answer = self.server.read_head()
        if answer is None:
            raise Hung
        self.client.send(answer.raw)
        self._carry_down(answer.body_of_answer_to(request.method), key, concerned=concerned)
        return not (request.closes or answer.closes)

    def _refuse(self, key: str) -> bool:
        self.proxy.ledger.add(key, errors=1)
        head = (
            "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
            f"Content-Length: {len(SLOW_DOWN)}\r\n\r\n"
        )
        self.client.send(head.encode() + SLOW_DOWN)
        self.client.drain()
        return False

    def _may_continue(self) -> bool:
        interim = self.server.read_head()
        if interim is None:
            raise Hung
        self.client.send(interim.raw)
        if interim.status == 100:  # noqa: PLR2004 - HTTP's "continue"
            return True
        for piece in interim.body_of_answer_to("PUT").pieces(self.server, PIECE):
            self.client.send(piece)
        self.client.drain()
        return False

    def _carry_up(self, request: Head, key: str) -> None:
        for piece in request.body_of_request().pieces(self.client, PIECE):
            self._keep_to_speed(len(piece))
            self.server.send(piece)
            self.proxy.ledger.add(key, bytes_up=len(piece))

    def _carry_down(self, body: Body, key: str, *, concerned: bool) -> None:
        faults = self.proxy.faults if concerned else Faults()
        hits = self.proxy.dice.hits
        cut_at = faults.reset_after_bytes if hits(faults.reset_share) else None
        stall_at = faults.stall_at_byte if hits(faults.stall_share) else None
        flip_at = faults.flip_at_byte if hits(faults.flip_share) else None
        passed = 0
        for piece in body.pieces(self.server, PIECE):
            end = passed + len(piece)
            if self.proxy.dice.hits(len(piece) / (faults.flip_every_bytes or math.inf)):
                piece[self.proxy.dice.between(0, len(piece) - 1)] ^= 1
                self.proxy.ledger.add(key, flips=1)
            if flip_at is not None and passed <= flip_at < end:
                piece[flip_at - passed] ^= 1
                self.proxy.ledger.add(key, flips=1)
            if stall_at is not None and passed <= stall_at < end:
                self._deliver(piece[: stall_at - passed], key)
                self.proxy.ledger.add(key, stalls=1)
                self.proxy.fall_silent(faults.stall_seconds, self.client)
                self._deliver(piece[stall_at - passed :], key)
            elif cut_at is not None and end > cut_at:
                self._deliver(piece[: max(0, cut_at - passed)], key)
                self.proxy.ledger.add(key, resets=1)
                raise _Cut
            else:
                self._deliver(piece, key)
            passed = end

    def _deliver(self, piece: memoryview, key: str) -> None:
        is_last = self.cut_at is not None and self.passed + len(piece) > self.cut_at
        if is_last and self.cut_at is not None:
            piece = piece[: max(0, self.cut_at - self.passed)]
        self.passed += len(piece)
        if self._keep_to_speed(len(piece)) and self.client.is_gone():
            # What nobody receives has not passed.
            raise Hung
        # Counted first: whoever has received everything finds everything counted.
        self.proxy.ledger.add(key, bytes_down=len(piece))
        self.client.send(piece)
        if is_last:
            self.proxy.ledger.add(key, resets=1)
            raise _Cut

    def _keep_to_speed(self, amount: int) -> bool:
        """Wait for as long as the speed asks; say whether that was at all."""
        faults, now = self.proxy.faults, time.monotonic()
        delay = 0.0
        if speed := faults.connection_bytes_per_second:
            delay = self.throttle.delay(amount, bytes_per_second=speed, now=now)
        if speed := faults.bytes_per_second:
            delay = max(delay, self.proxy.throttle.delay(amount, bytes_per_second=speed, now=now))
        if delay:
            self.proxy.pause(delay)
        return delay > 0


def _listen(port: int) -> socket.socket:
    return socket.create_server((HOST, port), backlog=256)


def _unlisten(listener: socket.socket) -> None:
    # Closing alone leaves the port open for as long as the other thread waits on it.
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _reset(connection: socket.socket) -> None:
    """End a connection as a failing network does, by RST instead of FIN."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Wakes the thread that reads from it; that one closes it, and so sends the reset.
        connection.shutdown(socket.SHUT_RD)


def _watch(proxy: FaultProxy, faults: Path | None, counts: Path | None) -> None:
    """Keep the proxy's faults as the file says, and the file of counts as it is, until a signal."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    read, written = "", ""
    while not ended.wait(0.1):
        if faults and faults.exists() and (text := faults.read_text(encoding="utf-8")) != read:
            # A file that is just being written may not be whole; the next round reads it again.
            with contextlib.suppress(ValueError, TypeError):
                proxy.faults = Faults.from_json(text)
                read = text
        if counts and (now := proxy.ledger.to_json()) != written:
            write_private(counts, now)
            written = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target", type=int, required=True, help="the S3 server's port")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, help="JSON file with the faults, watched")
    parser.add_argument("--counts", type=Path, help="JSON file to write the counts to")
    given = parser.parse_args()
    with FaultProxy(target=given.target, port=given.port, seed=given.seed) as proxy:
        print(proxy.endpoint, flush=True)  # noqa: T201 - the starter reads it
        _watch(proxy, given.faults, given.counts)


if __name__ == "__main__":
    main()
