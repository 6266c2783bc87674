"""PostgreSQL's own checks of a cluster, before anybody is let in.

Each is an iterator of steps in bytes that returns its finding. What could not be looked at is never
"ok": a check that cannot begin says why it was not possible, one that breaks off has failed.

What each proves. ``check_manifest``: the files are, bit for bit, those that the backup tool read.
``check_structure`` (pg_amcheck): tables and B-tree indexes are sound in themselves, and, in full
depth, every row is found in its indexes. ``check_pages`` (pg_checksums): no page of any relation
was changed behind PostgreSQL's back, whatever it holds. None of them knows whether the rows are the
right ones; that is asked by counting, and by questions of one's own.
"""

import hashlib
import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psycopg

from backups.engines.directory import MARK
from backups.engines.dumps.server import Connection, Server, ServerUnreachable
from backups.engines.postgres import Postgres, PostgresFailed
from backups.engines.programs import Lines, Output, follow
from backups.engines.wal import format_lsn, parse_lsn
from backups.errors import ToolFailed, ToolMissing, ToolSilent
from backups.steps import Step

# Relations larger than this are left out where a look is to be quick.
QUICK_BYTES = 64 << 20
# What is kept of a tool's words.
WORDS = 4000
PAGE_BYTES = 8192
# Programs that tell every second how far they are, and told nothing for so long, hang.
SILENCE_SECONDS = 600.0
_MIB = 1 << 20
# Where amcheck lies while we use it, unless it is there already.
_OURS = "highwater_amcheck"
_EXTENSION = "amcheck"
_CORRUPT = 2
_STRUCTURE = re.compile(rb"(\d+)/(\d+) relations .*?(\d+)/(\d+) pages")
_PAGES = re.compile(rb"(\d+)/(\d+) MB")
_KILOBYTES = re.compile(rb"(\d+)/(\d+) kB")
_COUNTS = re.compile(r"^(Files scanned|Blocks scanned|Bad checksums):\s+(\d+)$", re.MULTILINE)

Check = Generator[Step, None, "Finding"]


class Outcome(StrEnum):
    OK = "OK"
    FAILED = "FAILED"
    NOT_POSSIBLE = "NOT_POSSIBLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check came to. ``words`` are the tool's, or the reason; for operators only."""

    outcome: Outcome
    seconds: float = 0.0
    figures: Mapping[str, int] = field(default_factory=dict)
    words: str = ""


class _NoAmcheck(Exception):
    """The server cannot be given the extension; says why."""


def check_structure(server: Server, database: str, *, is_quick: bool, jobs: int) -> Check:
    """Run pg_amcheck on one database, in which nobody is and that may be written to.

    amcheck is put there for the time of the look, if it is not there. Quickly means: without
    comparing tables with their indexes, and without relations above 64 MiB, which are counted in
    the figures ("relations", "pages", "left_out"). amcheck knows no indexes but B-trees: how many
    others there are, which nobody looked at, is figured as "other_indexes".
    """
    began = time.monotonic()
    figures = {"relations": 0, "pages": 0, "left_out": 0, "other_indexes": 0}
    try:
        with server.connect(database) as connection, _amcheck(connection):
            large = _large_relations(connection) if is_quick else []
            figures["left_out"] = len(large)
            figures["other_indexes"] = _other_indexes(connection)
            depth = [f"--exclude-relation={name}" for name in large]
            if not is_quick:
                depth.append("--heapallindexed")
            output = yield from _amchecked(server, database, [f"--jobs={jobs}", *depth], figures)
    except (ToolMissing, _NoAmcheck) as lack:
        return _impossible(f"amcheck is not available: {lack}")
    except (ToolFailed, ServerUnreachable, psycopg.Error) as failure:
        return _broken_off(failure, began, figures)
    return Finding(
        outcome=Outcome.FAILED if output else Outcome.OK,
        seconds=time.monotonic() - began,
        figures=figures,
        words=output[:WORDS],
    )


def check_pages(postgres: Postgres) -> Check:
    """Read every page of a cleanly stopped cluster and compare it with its checksum.

    Not possible where the cluster was made without checksums. Figures: "files", "pages", "bad".
    """
    began = time.monotonic()
    figures: dict[str, int] = {}
    try:
        if not has_checksums(postgres):
            return _impossible("the cluster keeps no page checksums")
        command = postgres.command(
            "pg_checksums", "--check", "--progress", f"--pgdata={postgres.data_dir}"
        )
        output = yield from _read_files(command, _PAGES, unit=_MIB)
    except (PostgresFailed, ToolMissing) as lack:
        return _impossible(str(lack))
    except (ToolFailed, ToolSilent) as failure:
        return _broken_off(failure, began, figures)
    counts = dict(_COUNTS.findall(output.text.decode(errors="replace")))
    names = {"Files scanned": "files", "Blocks scanned": "pages", "Bad checksums": "bad"}
    figures = {ours: int(counts[theirs]) for theirs, ours in names.items() if theirs in counts}
    return Finding(
        outcome=Outcome.OK if output.code == 0 and figures.get("bad") == 0 else Outcome.FAILED,
        seconds=time.monotonic() - began,
        figures=figures,
        words="" if output.code == 0 else output.errors.decode(errors="replace")[-WORDS:],
    )


def check_manifest(postgres: Postgres, *, begin_lsn: int) -> Check:
    """Compare a directory that was just filled with the manifest that lies in it.

    A cluster that was once made from a base backup carries that one's manifest for ever: one that
    does not begin where this backup did is another's, and proves nothing. One that does not hold to
    its own checksum is damage.
    """
    began = time.monotonic()
    path = postgres.data_dir / "backup_manifest"
    try:
        belongs = _begins_at(path) == begin_lsn
    except FileNotFoundError:
        return _impossible("this kind of backup has no manifest of PostgreSQL's own")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding(
            outcome=Outcome.FAILED,
            seconds=time.monotonic() - began,
            words=f"The manifest is damaged: {error!r}"[:WORDS],
        )
    if not belongs:
        return _impossible(f"the manifest is of another backup, not of {format_lsn(begin_lsn)}")
    try:
        command = postgres.command(
            "pg_verifybackup", "--no-parse-wal", "--progress", f"--ignore={MARK}",
            str(postgres.data_dir),
        )  # fmt: skip
        output = yield from _read_files(command, _KILOBYTES, unit=1024)
    except (PostgresFailed, ToolMissing) as lack:
        return _impossible(str(lack))
    except (ToolFailed, ToolSilent) as failure:
        return _broken_off(failure, began, {})
    return Finding(
        outcome=Outcome.FAILED if output.code else Outcome.OK,
        seconds=time.monotonic() - began,
        words=output.errors.decode(errors="replace")[-WORDS:] if output.code else "",
    )


def has_checksums(postgres: Postgres) -> bool:
    """Say whether the cluster keeps a checksum of every page.

    :raises PostgresFailed: if that cannot be found out
    """
    said = postgres.run("pg_controldata", str(postgres.data_dir)).stdout
    found = re.search(r"^Data page checksum version:\s+(\d+)$", said, flags=re.MULTILINE)
    return found is not None and found[1] != "0"


def sizes_of(server: Server) -> dict[str, int]:
    """Return the bytes of every database that can be entered."""
    with server.connect() as connection:
        rows = connection.execute(
            "select datname, pg_database_size(oid) from pg_database where datallowconn order by 1"
        )
        return {str(name): int(size) for name, size in rows}


@contextmanager
def _amcheck(connection: Connection) -> Iterator[None]:
    """Have amcheck in a database; where it was not, it is gone again at the end."""
    connection.execute("set default_transaction_read_only = off")
    with suppress(psycopg.errors.UndefinedObject):
        # The customers' own triggers are not asked about what is ours.
        connection.execute("set event_triggers = off")
    row = connection.execute(
        "select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace "
        "where e.extname = 'amcheck'"
    ).fetchone()
    is_theirs = row is not None and row[0] != _OURS
    if row is None:
        _require_amcheck(connection)
    if not is_theirs:
        connection.execute(f"drop schema if exists {_OURS} cascade")
    try:
        if not is_theirs:
            connection.execute(f"create schema {_OURS}")
            connection.execute(f"create extension amcheck schema {_OURS}")
        yield
    finally:
        if not is_theirs and not connection.broken:
            connection.execute(f"drop schema if exists {_OURS} cascade")


def _require_amcheck(connection: Connection) -> None:
    known = "select from pg_available_extensions where name = %s"
    # Asked by name: a file that is missing may as well be one of the database itself.
    if connection.execute(known, (_EXTENSION,)).fetchone() is None:
        raise _NoAmcheck("this server does not have the extension")


def _amchecked(
    server: Server, database: str, options: Sequence[str], figures: dict[str, int]
) -> Generator[Step, None, str]:
    """Run pg_amcheck, and return what it found wrong; nothing if all is well."""
    command = [
        server.program("pg_amcheck"), f"--host={server.host}", f"--port={server.port}",
        f"--username={server.user}", "--no-password", "--progress", "--on-error-stop",
        f"--database={_pattern(database)}", *options,
    ]  # fmt: skip
    # It may be silent for as long as its largest index takes; if the server goes, so does it.
    lines, output, last = Lines(), None, Step(done=0)
    for output in follow(command, env=server.environment, accepted=(0, _CORRUPT)):
        for line in lines.of(output):
            if found := _STRUCTURE.search(line):
                figures["relations"], figures["pages"] = int(found[2]), int(found[4])
                last = Step(done=int(found[3]) * PAGE_BYTES, total=int(found[4]) * PAGE_BYTES)
        yield last
    assert output is not None
    said = output.text.decode(errors="replace").strip()
    return said or "pg_amcheck found corruption" if output.code else ""


def _large_relations(connection: Connection) -> list[str]:
    rows = connection.execute(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where c.relkind in ('r', 'm', 't', 'i') and pg_relation_size(c.oid) > %s order by 1, 2",
        (QUICK_BYTES,),
    )
    return [f"{_pattern(schema)}.{_pattern(name)}" for schema, name in rows]


def _other_indexes(connection: Connection) -> int:
    row = connection.execute(
        "select count(*) from pg_class c join pg_am a on a.oid = c.relam "
        "where c.relkind = 'i' and a.amname <> 'btree'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _pattern(name: str) -> str:
    """Return a pattern that matches this name alone."""
    return '"' + name.replace('"', '""') + '"'


def _read_files(
    command: Sequence[str], figures: re.Pattern[bytes], *, unit: int
) -> Generator[Step, None, Output]:
    """Run a program that reads files and counts what it has read, in such units of bytes."""
    lines, output, last = Lines(), None, Step(done=0)
    for output in follow(command, env={}, accepted=(0, 1)):
        if output.quiet_seconds > SILENCE_SECONDS:
            raise ToolSilent(f"{Path(command[0]).name} was silent for {SILENCE_SECONDS:.0f} s")
        for line in lines.of(output):
            if found := figures.search(line):
                last = Step(done=int(found[1]) * unit, total=int(found[2]) * unit)
        yield last
    assert output is not None
    return output


def _begins_at(manifest: Path) -> int:
    written = manifest.read_bytes()
    read = json.loads(written)
    # The last line is the checksum of all the others.
    others = written[: written.rfind(b"\n", 0, -1) + 1]
    if hashlib.sha256(others).hexdigest() != read["Manifest-Checksum"]:
        raise ValueError("it does not hold to its own checksum")
    return min(parse_lsn(each["Start-LSN"]) for each in read["WAL-Ranges"])


def _impossible(why: str) -> Finding:
    return Finding(outcome=Outcome.NOT_POSSIBLE, words=why[:WORDS])


def _broken_off(failure: Exception, began: float, figures: Mapping[str, int]) -> Finding:
    return Finding(
        outcome=Outcome.FAILED,
        seconds=time.monotonic() - began,
        figures=figures,
        words=f"The check broke off: {failure}"[:WORDS],
    )
