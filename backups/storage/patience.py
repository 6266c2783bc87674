"""Asking again what could not be answered just now, from many threads, and not for ever."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from backups.errors import CredentialsRefused, StorageUnavailable
from backups.storage.answers import PassingTrouble
from backups.storage.s3 import Bucket
from backups.storage.values import ObjectRef

T = TypeVar("T")
OUTAGE_SECONDS = 1800.0
LONGEST_PAUSE_SECONDS = 5.0


class Halted(Exception):
    """Nobody wants the work any more."""


class Patience:
    """How long a storage is waited for, and what went wrong meanwhile. Safe to share.

    ``counters`` count by the word of ``PassingTrouble``.
    """

    def __init__(self, *, outage_seconds: float = OUTAGE_SECONDS) -> None:
        self.outage_seconds = outage_seconds
        self.counters: Counter[str] = Counter()
        self._halted = threading.Event()
        self._lock = threading.Lock()

    def halt(self) -> None:
        """Let every thread that waits, or asks next, raise ``Halted``."""
        self._halted.set()

    @property
    def is_halted(self) -> bool:
        return self._halted.is_set()

    def count(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self.counters[name] += amount

    def ask(self, bucket: Bucket, question: Callable[[], T]) -> T:
        """Ask until it is answered.

        :raises StorageUnavailable: if it is not for as long as an outage is waited out
        :raises CredentialsRefused: if the keys are refused, and there are no others
        :raises Halted: once nobody wants it any more
        """
        began, pause = time.monotonic(), 0.1
        while True:
            if self.is_halted:
                raise Halted
            keys = bucket.credentials()
            try:
                return question()
            except CredentialsRefused:
                self.count("refused")
                if not bucket.renew(keys):
                    raise
            except PassingTrouble as trouble:
                self.count(trouble.reason)
                if time.monotonic() - began > self.outage_seconds:
                    raise StorageUnavailable(str(trouble)) from trouble
                jitter = random.uniform(pause / 2, pause)  # noqa: S311 - jitter, no secret
                if self._halted.wait(max(jitter, trouble.retry_after)):
                    raise Halted from trouble
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def fill(self, bucket: Bucket, ref: ObjectRef, start: int, buffer: memoryview) -> None:
        """Read a stretch of exactly that object; what broke off goes on where it broke.

        :raises ObjectChanged: if the object is not the one that was looked at
        """
        filled = 0

        def go_on() -> None:
            nonlocal filled
            with bucket.reading(ref, start + filled, start + len(buffer)) as answer:
                while filled < len(buffer):
                    read = answer.read_into(buffer[filled:])
                    if not read:
                        raise PassingTrouble("reset", f"{ref.key}: ended early")
                    filled += read

        while filled < len(buffer):
            before = filled
            try:
                self.ask(bucket, go_on)
            except StorageUnavailable:
                # What goes on, however slowly, is no outage.
                if filled == before:
                    raise
