"""Holding a job: claimed once, renewed every few seconds, and let go of when it is lost."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from django.conf import settings
from django.db import DatabaseError, connection

Clock = Callable[[], datetime]


class Leasable(Protocol):
    """Rows of which a worker can have one for a while."""

    def claim(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Take one, unless it is taken."""
        ...

    def renew(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Keep it; False if it is lost."""
        ...


class LeaseLost(Exception):
    """Another worker has the job, or somebody asked it to stop; this worker must touch nothing."""


def worker_name() -> str:
    """Return a name for one claim: this machine, this process, and no other claim."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def living_processes() -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}


class Lease:
    """A claimed job, kept alive by a thread of its own, so that a long step does not lose it.

    The database being away for a while is no loss: only the lease's own end is.
    """

    def __init__(self, jobs: Leasable, pk: int, *, worker: str, now: Clock) -> None:
        self._jobs = jobs
        self._pk = pk
        self._now = now
        self.worker = worker
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{pk}", daemon=True)

    @classmethod
    def claim(cls, jobs: Leasable, pk: int, *, now: Clock) -> "Lease | None":
        """Take a queued job; None if it is taken or over."""
        worker, at = worker_name(), now()
        until = at + timedelta(seconds=settings.LEASE_SECONDS)
        if not jobs.claim(pk, worker=worker, until=until, at=at):
            return None
        return cls(jobs, pk, worker=worker, now=now)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Go on only while the lease holds.

        :raises LeaseLost: if it does not
        """
        if self._lost.is_set():
            raise LeaseLost

    def _keep(self) -> None:
        held_until = time.monotonic() + settings.LEASE_SECONDS
        try:
            while not self._ended.wait(settings.HEARTBEAT_SECONDS):
                asked_at = time.monotonic()
                if self._renew():
                    held_until = asked_at + settings.LEASE_SECONDS
                elif self._lost.is_set() or time.monotonic() > held_until:
                    self._lost.set()
                    return
        finally:
            connection.close()

    def _renew(self) -> bool:
        at = self._now()
        until = at + timedelta(seconds=settings.LEASE_SECONDS)
        try:
            held = self._jobs.renew(self._pk, worker=self.worker, until=until, at=at)
        except DatabaseError:
            connection.close()
            return False
        if not held:
            self._lost.set()
        return held
