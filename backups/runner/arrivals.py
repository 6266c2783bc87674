"""Unpacking a backup while it arrives: by ourselves, or by the backup tool through the relay."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from backups.engines.base import BackupRecord, ReadsBack
from backups.engines.postgres import Postgres
from backups.steps import Step
from backups.storage.fetch import MIB, PART_BYTES, Fetcher, FetchItem
from backups.storage.relay import Relay

# So much is under way before the reader: enough for a storage that stalls, little for a disk.
AHEAD_BYTES = 512 * MIB
QUIET_SECONDS = 5.0


class Stream:
    """Brings the files of a backup before their reader, and lets go what is behind it.

    While the reader has to wait, ``tell`` is called a few times a second; it may raise to end the
    reading.
    """

    def __init__(
        self, fetcher: Fetcher, items: Sequence[FetchItem], tell: Callable[[Step], None]
    ) -> None:
        self._fetcher = fetcher
        self._tell = tell
        self._items = {fetcher.path_of(item): item for item in items}
        self._total = sum(item.ref.size for item in items)
        self._passed = 0
        for path, item in self._items.items():
            fetcher.held(item, 0, 0)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.truncate(item.ref.size)

    def come(self, path: Path, start: int, stop: int) -> None:
        item = self._items[path]
        self._fetcher.want(item, start, min(start + AHEAD_BYTES, item.ref.size))
        began = time.monotonic()
        while not self._fetcher.wait(item, start, stop, seconds=0.5):
            waits = time.monotonic() - began > QUIET_SECONDS
            self._tell(self.step("storage" if waits else ""))

    def used(self, path: Path, stop: int) -> None:
        item = self._items[path]
        # Whole parts only: of one that lacks a beginning, all is fetched again.
        self._fetcher.forget(item, 0, stop // PART_BYTES * PART_BYTES)

    def step(self, waiting: str = "", *, done: int | None = None) -> Step:
        """Return how far the reader is, with what happened on the way."""
        self._passed = self._passed if done is None else done
        return Step(
            done=self._passed,
            total=self._total,
            waiting=waiting,
            counters=self._fetcher.counters(),
        )


def read_back(
    engine: ReadsBack, backup: BackupRecord, postgres: Postgres, relay: Relay, *, total: int
) -> Iterator[Step]:
    """Let the backup tool read a backup of ``total`` bytes through the relay."""
    before = relay.status().served_bytes
    moved_at, last = time.monotonic(), -1
    for _alive in engine.read_back(backup, postgres):
        status = relay.status()
        done = min(status.served_bytes - before, total)
        if done != last:
            moved_at, last = time.monotonic(), done
        waits = status.waiting and time.monotonic() - moved_at > QUIET_SECONDS
        yield Step(
            done=done,
            total=total,
            waiting="storage" if waits else "",
            counters=status.counters,
        )
    yield Step(done=total, total=total)
