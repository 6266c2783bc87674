"""Dumping one database to a folder, all of it as it was at one moment."""

import functools
import re
import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

from backups.engines import programs
from backups.engines.dumps.description import describe, keep_description
from backups.engines.dumps.progress import Progress
from backups.engines.dumps.server import Connection, Server, count_rows, tables_of
from backups.errors import DirectoryForeign, DiskTooSmall, ToolFailed
from backups.steps import Step

LOCK_WAIT = "300s"
KNOWS_MORE_FROM = 16
_FINISHED = re.compile(rb"finished item \d+ TABLE DATA (.+)")
_BEGUN = re.compile(rb'dumping contents of table "(.+)"')


def dump_database(
    server: Server, name: str, folder: Path, *, jobs: int = 2, is_passing: bool = False
) -> Generator[Step, None, None]:
    """Dump a database into ``folder``, which appears when the dump is finished and not before.

    In pg_dump's directory format, packed with zstd where the programs know it, and a description
    with the rows of each table, as the same snapshot has them. Steps are in bytes of the tables.
    ``jobs`` connections copy, two more watch. Closing the iterator ends it; an earlier attempt's
    half is wiped. One that ``is_passing`` need not outlive a power cut, nor be as small as can be:
    the disk is not waited for, and it is packed lightly. With one job, the server's own parallel
    workers are left out too: whoever wants one has others at work beside it.

    :raises DirectoryForeign: if the folder is there already
    :raises ServerUnreachable: if the server does not let us in
    :raises ToolFailed: if pg_dump gave up
    """
    if folder.exists():
        raise DirectoryForeign(
            f"{folder} is there already",
            advice=f"The folder to dump into, {folder}, is there already. "
            "Move it away, then resume.",
        )
    server = server.frugal() if jobs == 1 else server
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        server.connect(name) as connection,
        server.connect(name) as watch,
        connection.transaction(),
    ):
        connection.execute("set transaction isolation level repeatable read, read only")
        row = connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        progress, rows = yield from _counted(connection, watch)
        command = _command(server, name, part, snapshot=row[0], jobs=jobs)
        command.append(f"--compress={packing_of(server.bin_dir, is_light=is_passing)}")
        if is_passing:
            command.append("--no-sync")
        yield from _followed(command, server, progress, jobs=jobs)
        keep_description(part, describe(connection, rows))
    part.rename(folder)
    yield Step(done=progress.total, total=progress.total)


def _counted(
    connection: Connection, watch: Connection
) -> Generator[Step, None, tuple[Progress, dict[str, int | None]]]:
    tables = {}
    rows = {}
    for table, size in tables_of(connection):
        tables[table.full_name] = size
        rows[table.full_name] = count_rows(connection, table)
        yield Step(done=0)
    return Progress(tables, rows, watch), rows


def _command(server: Server, name: str, part: Path, *, snapshot: str, jobs: int) -> list[str]:
    return [
        server.program("pg_dump"),
        "--format=directory",
        f"--jobs={jobs}",
        f"--file={part}",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}",
        "--no-password",
        "--verbose",
        f"--dbname={server.conninfo(name)}",
    ]


def _followed(
    command: list[str], server: Server, progress: Progress, *, jobs: int
) -> Iterator[Step]:
    lines = programs.Lines()
    begun = b""
    try:
        for output in programs.follow(command, env=server.environment):
            for line in lines.of(output):
                if jobs > 1 and (found := _FINISHED.search(line)):
                    progress.finish_one_called(found[1].decode(errors="replace"))
                elif jobs == 1 and (found := _BEGUN.search(line)):
                    # One after the other: where the next begins, the one before has ended.
                    progress.finish(begun.decode(errors="replace"))
                    begun = found[1]
            yield Step(done=progress.done(), total=progress.total)
    except ToolFailed as failed:
        raise told(failed) from failed


def told(failed: ToolFailed) -> ToolFailed | DiskTooSmall:
    """Return the failure under the name that says what to do."""
    if "No space left on device" in str(failed):
        return DiskTooSmall(str(failed))
    return failed


@functools.cache
def packing_of(bin_dir: Path, *, is_light: bool) -> str:
    """Return the best way to pack that these programs know, as ``pg_dump --compress`` takes it."""
    try:
        built = subprocess.run(
            [str(bin_dir / "pg_config"), "--configure", "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        built = ""
    major = re.search(r"PostgreSQL (\d+)", built)
    # pg_dump knows more than gzip since 16, and only if it was built so.
    is_new = bool(major and int(major[1]) >= KNOWS_MORE_FROM)
    if is_light:
        return "lz4" if is_new and "--with-lz4" in built else "1"
    return "zstd:3" if is_new and "--with-zstd" in built else "6"
