"""Listings that are longer than memory, side by side: what one has and the other has not.

Storages do not all list in the same order (some go folder by folder), so listings cannot be merged
as they come. They are written to a file that sorts them, and is gone at the end.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from backups.storage.values import ObjectRef

AT_ONCE = 1000
# What sqlite may hold in memory, in KiB.
_CACHE_KIB = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One object of the first listing, and of the second where that names it."""

    here: ObjectRef
    there: ObjectRef | None


class Spool:
    """Two listings, ``here`` and ``there``, by keys without the prefixes of their places.

    Open it with ``with``. Used by one thread at a time.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="spool-", dir=folder)
        self._base = sqlite3.connect(
            Path(self._folder.name) / "spool", isolation_level=None, check_same_thread=False
        )
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        for name in ("here", "there"):
            self._base.execute(
                f"CREATE TABLE {name} (key TEXT PRIMARY KEY, size INT, etag TEXT, at REAL)"
                " WITHOUT ROWID"
            )
        self._base.execute("CREATE TABLE wanted (key TEXT PRIMARY KEY, last INT) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._base.close()
        self._folder.cleanup()

    def add_here(self, refs: Iterable[ObjectRef]) -> Iterator[int]:
        """Take in the first listing; yielded is how many objects came, now and then."""
        return self._add("here", refs)

    def add_there(self, refs: Iterable[ObjectRef]) -> Iterator[int]:
        """Take in the second listing, as the first."""
        return self._add("there", refs)

    def pairs(self) -> Iterator[Pair]:
        """Return the objects of the first listing in the order of their keys."""
        rows = self._base.cursor().execute(
            "SELECT here.key, here.size, here.etag, here.at,"
            " there.key, there.size, there.etag, there.at"
            " FROM here LEFT JOIN there USING (key) ORDER BY here.key"
        )
        for row in rows:
            there = None if row[4] is None else _ref(row[4:])
            yield Pair(here=_ref(row[:4]), there=there)

    def find_here(self, keys: Iterable[str]) -> dict[str, ObjectRef]:
        """Return what the first listing says of these objects."""
        found: dict[str, ObjectRef] = {}
        left = iter(keys)
        while asked := list(islice(left, AT_ONCE)):
            marks = ",".join("?" * len(asked))
            rows = self._base.execute(
                f"SELECT key, size, etag, at FROM here WHERE key IN ({marks})",  # noqa: S608 - marks alone
                asked,
            )
            found |= {row[0]: _ref(row) for row in rows}
        return found

    def is_there(self, key: str) -> bool:
        """Say whether the second listing had an object of this key."""
        found = self._base.execute("SELECT 1 FROM there WHERE key = ?", (key,)).fetchone()
        return found is not None

    def want(self, key: str, *, last: bool) -> None:
        """Note that an object is to be dealt with, or only after all the others."""
        self._base.execute("INSERT OR IGNORE INTO wanted VALUES (?, ?)", (key, last))

    def wanted(self, *, last: bool) -> Iterator[ObjectRef]:
        """Return what was noted, as the first listing says, in the order of the keys."""
        rows = self._base.cursor().execute(
            "SELECT key, size, etag, at FROM wanted JOIN here USING (key) WHERE last = ?"
            " ORDER BY key",
            (last,),
        )
        for row in rows:
            yield _ref(row)

    def count_here(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM here").fetchone()[0])

    def newest_here(self) -> datetime | None:
        """Return when the newest object of the first listing was stored."""
        found = self._base.execute("SELECT max(at) FROM here").fetchone()[0]
        return None if found is None else datetime.fromtimestamp(found, UTC)

    def _add(self, name: str, refs: Iterable[ObjectRef]) -> Iterator[int]:
        coming = iter(refs)
        while rows := [
            (ref.key, ref.size, ref.etag, ref.modified_at and ref.modified_at.timestamp())
            for ref in islice(coming, AT_ONCE)
        ]:
            self._base.execute("BEGIN")
            self._base.executemany(
                f"INSERT OR REPLACE INTO {name} VALUES (?, ?, ?, ?)",  # noqa: S608 - one of two names
                rows,
            )
            self._base.execute("COMMIT")
            yield len(rows)


def _ref(row: tuple[str, int, str, float | None]) -> ObjectRef:
    key, size, etag, at = row
    moment = None if at is None else datetime.fromtimestamp(at, UTC)
    return ObjectRef(key=key, size=size, etag=etag, modified_at=moment)
