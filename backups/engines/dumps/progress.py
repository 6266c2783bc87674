"""How far a dump or a restore is: tables by their bytes, those under way by their rows."""

import time
from collections.abc import Mapping

import psycopg

from backups.engines.dumps.server import Connection

LOOK_SECONDS = 1.0
_COPYING = """
    select n.nspname || '.' || c.relname, p.tuples_processed
    from pg_stat_progress_copy p join pg_class c on c.oid = p.relid
    join pg_namespace n on n.oid = c.relnamespace
    where p.datname = current_database()
"""


class Progress:
    """Bytes done of the tables named in ``weights``; ``rows`` is what each holds, if known.

    PostgreSQL tells no bytes of a COPY that comes from a program, and the rows of one only while
    it runs: hence the rows that were counted beforehand.
    """

    def __init__(
        self, weights: Mapping[str, int], rows: Mapping[str, int | None], watch: Connection
    ) -> None:
        self.total = sum(weights.values())
        self._weights = weights
        self._rows = rows
        self._watch = watch
        self._finished: set[str] = set()
        self._under_way = 0
        self._looked_at = 0.0
        self._done = 0

    def finish(self, table: str) -> None:
        if table in self._weights:
            self._finished.add(table)

    def finish_one_called(self, name: str) -> None:
        """Count a table of which only the name is told, not the schema."""
        for table in self._weights:
            if table not in self._finished and table.partition(".")[2] == name:
                self._finished.add(table)
                return

    def done(self) -> int:
        """Return the bytes done, never fewer than before."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._under_way = self._look()
        finished = sum(self._weights[table] for table in self._finished)
        self._done = min(max(self._done, finished + self._under_way), self.total)
        return self._done

    def _look(self) -> int:
        try:
            copying = self._watch.execute(_COPYING).fetchall()
        except psycopg.Error:
            # Only the progress is lost with it: the program says itself if the server is gone.
            return 0
        return sum(
            int(self._weights.get(table, 0) * min(1, moved / (self._rows.get(table) or moved or 1)))
            for table, moved in copying
            if table not in self._finished and self._rows.get(table)
        )
