"""Putting a restored database in the place of the one that customers use, in moments."""

import contextlib
import time

import psycopg
from psycopg import sql

from backups.engines.dumps.restoring import restoring_name
from backups.engines.dumps.server import Connection, Server
from backups.errors import EngineFailed

# PostgreSQL itself waits five seconds for a database to become free.
TRIES = 2


class NothingToSwap(EngineFailed):
    """There is nothing to put in a database's place, or no name to keep the old one under."""

    code = "nothing-to-swap"


class NameTaken(EngineFailed):
    """A database of this name came into being meanwhile; nothing is changed."""

    code = "database-name-taken"
    advice = (
        "A database of this name was made while its data was being restored. Rename or drop it, "
        "then resume."
    )


class DatabaseBusy(EngineFailed):
    """Sessions or prepared transactions hold on to a database; it is as it was."""

    code = "database-busy"
    advice = (
        "The database could not be freed of sessions (a prepared transaction or a replication "
        "holds it; the log has the server's words). End that, then resume."
    )


def swap_in(server: Server, name: str, *, keep_as: str, may_replace: bool = True) -> None:
    """Rename ``restoring_name(name)`` to ``name``; what was called so is called ``keep_as``.

    For the moment that it takes nobody is let into either, and whoever is inside is sent out. Both
    renames are one transaction: whenever death comes, ``name`` is the old or the new one. Done
    already, nothing happens. Without ``may_replace`` there is to be none of that name.

    :raises NothingToSwap: if there is no restored database, or ``keep_as`` is taken
    :raises NameTaken: if there is one of that name all the same
    :raises DatabaseBusy: if one of them cannot be freed; sessions are let in again
    """
    restored = restoring_name(name)
    # Nobody can be inside of a database that is renamed, us included.
    with server.connect("template1" if name == "postgres" else "postgres") as connection:
        there = {row[0] for row in connection.execute("select datname from pg_database")}
        if restored not in there:
            if name in there and keep_as in there:
                return
            raise NothingToSwap(
                f"there is no {restored}",
                advice=f"There is no restored database to put in the place of {name}. "
                "Restore it first.",
            )
        if name in there and keep_as in there:
            raise NothingToSwap(
                f"{keep_as} is taken",
                advice=f"The old {name} would be kept as {keep_as}, which exists already. "
                "Drop or rename that, then resume.",
            )
        if name in there and not may_replace:
            raise NameTaken(name)
        _swap(connection, name, restored, keep_as, has_old=name in there)


def _swap(connection: Connection, name: str, restored: str, keep_as: str, *, has_old: bool) -> None:
    both = [name, restored] if has_old else [restored]
    _require_no_prepared(connection, both)
    renames = [(name, keep_as)] if has_old else []
    try:
        _shut(connection, both)
        for number in range(TRIES):
            _send_out(connection, both)
            try:
                with connection.transaction():
                    for old, new in [*renames, (restored, name)]:
                        _alter(connection, old, sql.SQL("rename to {}").format(sql.Identifier(new)))
                    for new in [*(new for _old, new in renames), name]:
                        _alter(connection, new, sql.SQL("allow_connections true"))
            except psycopg.errors.ObjectInUse as busy:
                if number == TRIES - 1:
                    raise DatabaseBusy(str(busy)) from busy
            except psycopg.errors.DuplicateDatabase as taken:
                # Made since we looked; of the names, ``keep_as`` was free a moment ago.
                raise NameTaken(str(taken)) from taken
            else:
                return
    except BaseException:
        _open_again(connection, both)
        raise


def _require_no_prepared(connection: Connection, names: list[str]) -> None:
    """Look before anybody is sent out: nobody but its owner can end a prepared transaction."""
    query = "select database, gid from pg_prepared_xacts where database = any(%s)"
    held = connection.execute(query, (names,)).fetchall()
    if held:
        raise DatabaseBusy(
            ", ".join(f"the prepared transaction {gid} holds {name}" for name, gid in held)
        )


def _shut(connection: Connection, names: list[str]) -> None:
    for name in names:
        _alter(connection, name, sql.SQL("allow_connections false"))


def _open_again(connection: Connection, names: list[str]) -> None:
    # The server may be gone, or the renames done: then the new names were opened with them.
    for name in names:
        with contextlib.suppress(psycopg.Error):
            _alter(connection, name, sql.SQL("allow_connections true"))


def _send_out(connection: Connection, names: list[str]) -> None:
    query = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = any(%s)"
    for _look in range(50):
        row = connection.execute(query, (names,)).fetchone()
        if row is None or not row[0]:
            return
        time.sleep(0.02)


def _alter(connection: Connection, name: str, change: sql.Composable) -> None:
    connection.execute(sql.SQL("alter database {} {}").format(sql.Identifier(name), change))
