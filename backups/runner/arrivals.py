"""Unpacking a backup while it arrives: by ourselves, or by the backup tool through the relay."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from backups.engines.base import BackupRecord, ReadsBack
from backups.engines.postgres import Postgres
from backups.steps import Step
from backups.storage.fetch import MIB, PART_BYTES, Fetcher, FetchItem
from backups.storage.relay import Relay, RelayStatus

# So much is under way before the reader: enough for a storage that stalls, little for a disk.
AHEAD_BYTES = 512 * MIB


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
        # Up to where each file was let go, so that it does not count any more as lying here.
        self._passed = dict.fromkeys(self._items, 0)
        self._done = 0
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
            self._tell(self.step(self._fetcher.waits_for(began)))

    def used(self, path: Path, stop: int) -> None:
        item = self._items[path]
        # Whole parts only: of one that lacks a beginning, all is fetched again.
        passed = stop // PART_BYTES * PART_BYTES
        self._fetcher.forget(item, 0, passed)
        self._passed[path] = max(self._passed[path], passed)

    def step(self, waiting: str = "") -> Step:
        """Return how much has arrived, with what happened on the way."""
        self._done = max(self._done, sum(map(self._come_of, self._items)))
        return Step(
            done=self._done,
            total=self._total,
            waiting=waiting,
            counters=self._fetcher.counters(),
        )

    def _come_of(self, path: Path) -> int:
        item, passed = self._items[path], self._passed[path]
        if passed >= item.ref.size:
            # Nothing of it lies here any more, and it is not to be begun again.
            return item.ref.size
        return min(passed + self._fetcher.arrived(item), item.ref.size)


def read_back(
    engine: ReadsBack, backup: BackupRecord, postgres: Postgres, relay: Relay, *, total: int
) -> Iterator[Step]:
    """Let the backup tool read a backup of ``total`` bytes through the relay.

    Counted is what came, or what the tool was given where that is more: it may lie here already.
    """
    served, came = _figures(relay.status())
    done = 0
    waits_since: float | None = None
    for _alive in engine.read_back(backup, postgres):
        status = relay.status()
        now_served, now_came = _figures(status)
        done = min(max(done, now_served - served, now_came - came), total)
        if not status.waiting:
            waits_since = None
        elif waits_since is None:
            waits_since = time.monotonic()
        yield Step(
            done=done,
            total=total,
            waiting="" if waits_since is None else relay.fetcher.waits_for(waits_since),
            counters=status.counters,
        )
    yield Step(done=total, total=total)


def _figures(status: RelayStatus) -> tuple[int, int]:
    """Return how many bytes the relay has given out, and how many of use came to it."""
    counters = status.counters
    return status.served_bytes, counters.get("bytes_wire", 0) - counters.get("bytes_wasted", 0)
