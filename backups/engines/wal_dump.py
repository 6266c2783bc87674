"""When and where transactions ended, read from WAL files by ``pg_waldump``."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backups.engines.postgres import Postgres
from backups.engines.wal import parse_lsn

_RECORD = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), prev ([0-9A-F]+/[0-9A-F]+), desc: (.*)")
_END = re.compile(r"^(?:COMMIT|ABORT)\S* (?:\S+: )?.*?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")


@dataclass(frozen=True, slots=True)
class TransactionEnd:
    """A commit or an abort: its moment, and where its record and the one before it begin."""

    at: datetime
    lsn: int
    previous_lsn: int


def transaction_ends(
    postgres: Postgres, files: Path, first: str, last: str
) -> list[TransactionEnd]:
    """Name the transactions that ended in a run of segments, in the order of the log.

    The run may end in the middle of a record, which ``pg_waldump`` reports as an error and is none.
    """
    found = []
    for line in _dump(postgres, files, first, last, "--rmgr=Transaction"):
        record = _RECORD.search(line)
        if record is None:
            continue
        moment = _END.match(record[3])
        if moment is not None:
            at = datetime.fromisoformat(moment[1]).replace(tzinfo=UTC)
            found.append(TransactionEnd(at, parse_lsn(record[1]), parse_lsn(record[2])))
    return found


def last_record(postgres: Postgres, files: Path, name: str) -> int | None:
    """Return where the last whole record of a segment begins, or None if none begins in it."""
    for line in reversed(_dump(postgres, files, name, name)):
        record = _RECORD.search(line)
        if record is not None:
            return parse_lsn(record[1])
    return None


def _dump(postgres: Postgres, files: Path, first: str, last: str, *options: str) -> list[str]:
    done = postgres.run(
        "pg_waldump", "--path", str(files), *options, first, last, timeout_seconds=300, check=False
    )
    return done.stdout.splitlines()
