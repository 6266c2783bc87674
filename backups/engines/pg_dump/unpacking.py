"""From dumps to a cluster: made anew, its roles first, then its databases side by side."""

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from psycopg import sql

from backups.engines import programs
from backups.engines.base import Step
from backups.engines.dumps import Description, Server, restore_database, swap_in
from backups.engines.dumps.restoring import beside
from backups.engines.filling import empty_inside
from backups.engines.pg_dump.cluster import SILENCE_SECONDS
from backups.engines.pg_dump.document import Document
from backups.engines.postgres import Postgres, PostgresFailed
from backups.engines.private import start_privately
from backups.engines.together import together
from backups.errors import EngineFailed

# For filling alone: nothing is archived, nobody reads it yet.
_FILLING = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
}


def unpack_dumps(document: Document, staged: Path, postgres: Postgres) -> Iterator[Step]:
    """Make a cluster of a backup, and stop it cleanly. Steps are in bytes of its databases.

    Closing the iterator stops it as well, and leaves a half.

    :raises DumpUnfit: if this PostgreSQL lacks an extension or a locale, naming it
    :raises ObjectDamaged: if a dump cannot be read, or not every row came back
    """
    yield Step(done=0)
    with empty_inside(postgres.data_dir) as inside:
        made = Postgres(bin_dir=postgres.bin_dir, data_dir=inside, port=postgres.port)
        try:
            # Its password is set with the roles; until then nobody knows it.
            made.create(superuser=document.superuser, password=secrets.token_urlsafe(32))
        except PostgresFailed as failed:
            raise EngineFailed(str(failed)) from failed
    _write_down_settings(postgres.data_dir / "postgresql.conf", document.settings)
    log = postgres.data_dir.with_name(postgres.data_dir.name + ".unpacking.log")
    socket = start_privately(postgres, log=log, settings=_FILLING)
    try:
        server = Server(
            host=str(socket),
            port=postgres.port,
            user=document.superuser,
            bin_dir=postgres.bin_dir,
        )
        _make_roles(server, staged / "roles.sql")
        yield from _fill(server, document, staged)
        postgres.stop(timeout_seconds=600)
    finally:
        postgres.stop(mode="immediate")
    log.unlink(missing_ok=True)


def _write_down_settings(configuration: Path, settings: Mapping[str, str]) -> None:
    """Put the lost cluster's settings where its keeper looks for them, without any effect.

    They name sizes and paths of another machine.
    """
    lines = [
        f"# {name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()
    ]
    with configuration.open("a", encoding="utf-8") as file:
        file.write("\n# Of the cluster that was backed up; take over what serves here.\n")
        file.write("".join(f"{line}\n" for line in lines))


def _fill(server: Server, document: Document, staged: Path) -> Iterator[Step]:
    """Restore the databases, largest first, and give them their names."""
    order = sorted(document.databases.items(), key=lambda each: each[1].bytes, reverse=True)
    works = [
        (
            max(described.bytes, 1),
            partial(_restore, server, staged / "databases" / folder, described),
        )
        for folder, described in order
    ]
    yield from together(works, at_once=os.cpu_count() or 1)


def _restore(server: Server, folder: Path, described: Description) -> Iterator[Step]:
    name = described.name
    yield from restore_database(server, folder, name, jobs=_jobs())
    # A new cluster comes with a database postgres of its own, which is empty.
    empty = beside(name, "__empty")
    swap_in(server, name, keep_as=empty)
    with server.connect("template1" if name == "postgres" else "postgres") as connection:
        connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(empty)))


def _jobs() -> int:
    # The databases share the processors already; a large one alone at the end has half of them.
    return max(1, (os.cpu_count() or 1) // 2)


def _make_roles(server: Server, statements: Path) -> None:
    text = statements.read_text(encoding="utf-8")
    # The one that the cluster was made with is there.
    ours = re.compile(rf'^CREATE ROLE "?{re.escape(server.user)}"?;$', re.MULTILINE)
    ready = statements.with_name("roles.ready.sql")
    ready.write_text(ours.sub("", text), encoding="utf-8")
    command = [
        server.program("psql"),
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        "--single-transaction",
        f"--file={ready}",
        f"--dbname={server.conninfo('postgres')}",
    ]
    programs.run(command, env=server.environment, silence_seconds=SILENCE_SECONDS)
