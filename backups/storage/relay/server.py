"""The relay's listening socket and its connections, a thread each."""

import contextlib
import logging
import socket
import ssl
import sys
import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

from backups.storage.relay.handler import Handler, Serving
from backups.storage.relay.reply import reset

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
# How long connections may take to end, and how long more once nothing can be sent on them.
ENDING_SECONDS = 5.0


class RelayServer(ThreadingHTTPServer):
    """The listening socket and the connections; ``stop`` and ``join`` end them all."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, serving: Serving, *, port: int, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._serving: set[threading.Thread] = set()
        super().__init__((HOST, port), partial(Handler, serving))
        self._acceptor = threading.Thread(
            target=self.serve_forever, args=(0.2,), name="relay", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Take no more connections and no more questions; answers under way may go on."""
        self.shutdown()
        self.server_close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            reset(connection)
        self._acceptor.join()

    def join(self) -> None:
        """Wait for the connections' threads; whoever does not take our bytes gets no more."""
        if not self._join_until(time.monotonic() + ENDING_SECONDS):
            with self._lock:
                still_open = list(self._open)
            for connection in still_open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._join_until(time.monotonic() + ENDING_SECONDS)

    def _join_until(self, deadline: float) -> bool:
        with self._lock:
            threads = list(self._serving)
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in threads)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any
    ) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="relay-connection",
            daemon=True,
        )
        with self._lock:
            thread.start()
            self._serving = {each for each in self._serving if each.is_alive()} | {thread}

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            # The handshake is the connection's own thread's business.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        logger.error("relay: a connection ended by a fault of ours", exc_info=sys.exception())
