"""Saying how far something is while the same process works at it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper
from django.db import connection

_EVERY_SECONDS = 2.0


@contextmanager
def told_meanwhile(say: Callable[[], str], out: OutputWrapper) -> Iterator[threading.Event]:
    """Write what ``say`` says every two seconds, from a thread, while the block works.

    An empty line is left out. The event is set when the block is left; to wait for it is to pause.
    """
    ended = threading.Event()

    def tell() -> None:
        try:
            while not ended.wait(_EVERY_SECONDS):
                if line := say():
                    out.write(line)
        finally:
            connection.close()

    teller = threading.Thread(target=tell, name="teller")
    teller.start()
    try:
        yield ended
    finally:
        ended.set()
        teller.join()
