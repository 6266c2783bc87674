"""A door with TLS before a server without: what comes in is passed on, byte for byte."""

import contextlib
import selectors
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from backups.storage.relay.certificate import Certificate

PIECE = 256 * 1024


class TlsDoor:
    """Takes TLS on a port of loopback for a plain server on another; ``ca_file`` vouches for it.

    A connection that the server cuts is cut without a word of TLS, as a network cuts it.
    """

    def __init__(self, target: int, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)  # noqa: TID251 - a certificate holds now
        certificate = Certificate.in_folder(folder, at=now)
        self.ca_file = certificate.ca_file
        self._context = certificate.context()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.endpoint = f"https://localhost:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(raw,), daemon=True).start()

    def _carry(self, raw: socket.socket) -> None:
        # A client that trusts nobody here ends the handshake; a cut connection ends the carrying.
        with contextlib.suppress(OSError), raw:
            raw.settimeout(10)
            with (
                self._context.wrap_socket(raw, server_side=True) as near,
                socket.create_connection(("127.0.0.1", self._target), timeout=10) as far,
            ):
                _carry_both_ways(near, far)
                # Without the farewell of TLS.
                near.detach()


def _carry_both_ways(near: ssl.SSLSocket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(near, selectors.EVENT_READ)
        ready.register(far, selectors.EVENT_READ)
        while True:
            come = {key.fileobj for key, _events in ready.select()}
            for here, there in ((near, far), (far, near)):
                if here not in come:
                    continue
                piece = here.recv(PIECE)
                while isinstance(here, ssl.SSLSocket) and here.pending():
                    piece += here.recv(PIECE)
                if not piece:
                    return
                there.sendall(piece)
