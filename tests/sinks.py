"""Real servers that take messages: a mail server, and the door of a chat for its webhooks."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings


class Sink(Message):
    """A real SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self.refusing = False

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusing:
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def handle_message(self, message: object) -> None:
        self.kept.append(str(message))


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    handler = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    yield handler
    controller.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What was posted to a chat."""

    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[["Door"], None]


@dataclass(kw_only=True)
class Chat:
    """A chat's door on this machine: what was posted, and how it answers; at first, well.

    A port is soon another's: what is posted to an address of before is turned away.
    """

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    door: str = field(default_factory=lambda: f"/{uuid4().hex[:8]}")
    answer: Answer = lambda door: answer(door, 200, b"ok")
    # Set when the test ends: whoever drips or hangs stops then.
    is_over: Event = field(default_factory=Event)

    def url(self, path: str = "/services/T1/B2/secret-token-Xk3z") -> str:
        return f"http://127.0.0.1:{self.port}{self.door}{path}"

    def subjects(self) -> list[str]:
        """Return the first line of each message, in order."""
        return [json.loads(post.body)["text"].partition("\n")[0] for post in self.posts]


class Door(BaseHTTPRequestHandler):
    """One call at the door."""

    chat: Chat

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if not self.path.startswith(self.chat.door):
            answer(self, 404)
            return
        path = self.path.removeprefix(self.chat.door)
        self.chat.posts.append(Post(path=path, headers=dict(self.headers), body=body))
        with suppress(OSError):
            self.chat.answer(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def answer(door: Door, status: int, body: bytes = b"", **headers: str) -> None:
    """Answer as any server does."""
    door.send_response(status)
    for name, value in headers.items():
        door.send_header(name.replace("_", "-"), value)
    door.send_header("Content-Length", str(len(body)))
    door.end_headers()
    door.wfile.write(body)


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda door: answer(door, status, body, **headers)


def drip(door: Door) -> None:
    """Never come to the status, a little at a time."""
    door.wfile.write(b"HTTP/")
    _drip(door)


def drip_a_header(door: Door) -> None:
    """Take the message, and never come to the end of the headers."""
    door.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(door)


def drip_the_body(door: Door) -> None:
    """Take the message, and then talk without an end."""
    door.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    _drip(door)


def talk_nonsense(door: Door) -> None:
    """Answer what is no HTTP."""
    door.wfile.write(b"nonsense\r\n\r\n")


def hang(door: Door) -> None:
    """Say nothing."""
    door.chat.is_over.wait(30)


def pour(door: Door) -> None:
    """Send far more than anybody wants."""
    door.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while not door.chat.is_over.is_set():
        door.wfile.write(b"x" * 65536)


def _drip(door: Door) -> None:
    while not door.chat.is_over.is_set():
        door.wfile.write(b"x")
        time.sleep(0.05)


@contextmanager
def open_chat() -> Iterator[Chat]:
    """Run a chat's door until the block ends."""
    chat = Chat()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (Door,), {"chat": chat}))
    server.daemon_threads = True
    chat.port = server.server_address[1]
    serving = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield chat
    finally:
        chat.is_over.set()
        server.shutdown()
        server.server_close()
        serving.join(timeout=10)


@pytest.fixture
def chat() -> Iterator[Chat]:
    """Give a chat's door on this machine, which tests may post to."""
    with open_chat() as door:
        yield door
