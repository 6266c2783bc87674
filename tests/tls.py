"""A way to a server that speaks TLS, for tools that take nothing else."""

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from backups.storage.relay.certificate import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFront:
    """Where it is to be reached, and the file with the authority to trust."""

    endpoint: str
    authority: Path


@contextmanager
def tls_front(port: int, folder: Path) -> Iterator[TlsFront]:
    """Pass on to a port of this machine what arrives over TLS."""
    certificate = Certificate.in_folder(folder, at=timezone.now())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = (listener, certificate.context(), port)
        serving = threading.Thread(target=_serve, args=arguments, daemon=True)
        serving.start()
        front = listener.getsockname()[1]
        yield TlsFront(endpoint=f"https://localhost:{front}", authority=certificate.ca_file)
        listener.shutdown(socket.SHUT_RDWR)
    serving.join(timeout=10)


def _serve(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            raw, _address = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(raw, context, port), daemon=True).start()


def _pass_on(raw: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        stack.enter_context(raw)
        front = stack.enter_context(context.wrap_socket(raw, server_side=True))
        behind = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(front, selectors.EVENT_READ, (front, behind))
        selector.register(behind, selectors.EVENT_READ, (behind, front))
        while True:
            for key, _events in selector.select():
                source, other = key.data
                data = source.recv(65536)
                # What TLS has unpacked already is not seen by the selector.
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    data += source.recv(65536)
                if not data:
                    return
                other.sendall(data)
