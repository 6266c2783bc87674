"""The relay's disk: what lies on it, what is in use, and what goes when room is needed.

Whole objects go, the least recently used first, and never one that is being read. An object may be
larger than the disk: then its parts go that every reader has passed.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from backups.storage.items import MIB, PART_BYTES, FetchItem

LEAST_LIMIT = 256 * MIB


class Forgetting(Protocol):
    def forget(self, item: FetchItem, start: int = 0, stop: int | None = None) -> None: ...


@dataclass(slots=True, eq=False)
class Reader:
    """Somebody who reads an object, and has come so far."""

    at: int


@dataclass(slots=True)
class _Kept:
    item: FetchItem
    parts: set[int] = field(default_factory=set)
    readers: list[Reader] = field(default_factory=list)
    # Brought ahead and not asked for yet: it goes last.
    is_unread: bool = True

    def bytes_of(self, parts: Iterable[int]) -> int:
        size = self.item.ref.size
        return sum(min(PART_BYTES, size - part * PART_BYTES) for part in parts)


class Shelf:
    """Room for objects, up to a limit. Safe to share between threads."""

    def __init__(self, fetcher: Forgetting, *, limit_bytes: int) -> None:
        self._fetcher = fetcher
        self._most = self._limit = limit_bytes
        self._lock = threading.Lock()
        # In the order in which they were last used.
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._total = 0

    @property
    def held_bytes(self) -> int:
        """Return how much room is given away."""
        return self._total

    def fit(self, room_bytes: int) -> None:
        """Keep to what the disk can hold, if that is less than the limit; let go what is more."""
        with self._lock:
            self._limit = min(self._most, room_bytes)
            self._make_room(0, keep=None, demanded=True)

    def found(self, item: FetchItem, parts: Iterable[int]) -> None:
        """Take in what an earlier run left."""
        with self._lock:
            kept = self._kept.setdefault(item.to, _Kept(item))
            kept.is_unread = False
            self._total += kept.bytes_of(set(parts) - kept.parts)
            kept.parts |= set(parts)
            self._make_room(0, keep=None, demanded=True)

    @contextmanager
    def reading(self, item: FetchItem, start: int) -> Iterator[Reader]:
        """Keep an object while it is read; the reader says how far it has come."""
        reader = Reader(start)
        with self._lock:
            kept = self._kept.setdefault(item.to, _Kept(item))
            # Of what an earlier run left, only the file's name was known.
            kept.item = item
            kept.readers.append(reader)
            kept.is_unread = False
            self._kept.move_to_end(item.to)
        try:
            yield reader
        finally:
            with self._lock:
                kept.readers.remove(reader)

    def claim(self, item: FetchItem, start: int, stop: int, *, demanded: bool) -> bool:
        """Get room for bytes of an object; what is not demanded just now is refused if it is tight.

        What is demanded gets its room always, and the limit is passed by as much as all that is
        being read at once needs.
        """
        parts = set(range(start // PART_BYTES, -(-stop // PART_BYTES)))
        with self._lock:
            kept = self._kept.get(item.to) or _Kept(item)
            kept.item = item
            needed = kept.bytes_of(parts - kept.parts)
            if not needed:
                return True
            if not self._make_room(needed, keep=kept, demanded=demanded) and not demanded:
                return False
            self._kept[item.to] = kept
            kept.parts |= parts
            self._total += needed
            return True

    def _make_room(self, needed: int, *, keep: _Kept | None, demanded: bool) -> bool:
        for kept, parts in self._victims(keep, demanded=demanded):
            if self._total + needed <= self._limit:
                break
            self._drop(kept, parts)
        return self._total + needed <= self._limit

    def _victims(self, keep: _Kept | None, *, demanded: bool) -> Iterator[tuple[_Kept, set[int]]]:
        everything = list(self._kept.values())
        idle = [kept for kept in everything if not kept.readers and kept is not keep]
        for kept in idle:
            if not kept.is_unread:
                yield kept, kept.parts
        for kept in everything:
            if kept.readers:
                # Of the part just read, the end may still be held back for a client that waits.
                passed = min(reader.at for reader in kept.readers) // PART_BYTES - 1
                for part in sorted(part for part in kept.parts if part < passed):
                    yield kept, {part}
        if demanded:
            for kept in idle:
                if kept.is_unread:
                    yield kept, kept.parts

    def _drop(self, kept: _Kept, parts: set[int]) -> None:
        self._total -= kept.bytes_of(parts)
        if parts == kept.parts and not kept.readers:
            self._fetcher.forget(kept.item)
            del self._kept[kept.item.to]
            return
        for part in parts:
            start = part * PART_BYTES
            self._fetcher.forget(kept.item, start, min(start + PART_BYTES, kept.item.ref.size))
        kept.parts = kept.parts - parts
