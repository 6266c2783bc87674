"""Whether a database took writes since a moment, told from its own rows.

Every row carries the number of the transaction that wrote it, and these numbers only grow. So what
was inserted or changed since a moment has a number from then on, and what was deleted is missing
in the count. That holds through restarts and crashes, and a vacuum or an analyze by the server
itself leaves both as they are. Server statistics, which a crash wipes, only save a second look.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from backups.engines.dumps.server import Connection, Server
from backups.engines.dumps.swapping import DatabaseBusy

# How long sessions are given to end, once they are told to.
_FREE_SECONDS = 10.0
# Numbers of transactions are compared in a circle of this size.
_HALF_A_CIRCLE = 1 << 31

# What the server itself writes there is no write: what it gathered on columns.
_GATHERED = ["pg_statistic", "pg_statistic_ext_data"]
_TABLES = """
    select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence <> 't'
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_toast%'
    order by 1, 2
"""
_CATALOGS = """
    select c.relname from pg_class c
    where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'r'
      and not c.relisshared and c.relname <> all(%s)
    order by 1
"""
# The first use of a temporary table makes schemas that stay.
_LASTING = {"pg_namespace": "nspname !~ '^pg_(toast_)?temp_'"}
_SEQUENCES = """
    select coalesce(md5(string_agg(
        format('%s.%s %s', schemaname, sequencename, last_value), ',' order by 1, 2)), '')
    from (select schemaname::text, sequencename::text, last_value from pg_sequences
          where schemaname !~ '^pg_temp_') s
"""
# Committed later, what it wrote has a number from before.
_PREPARED = "select count(*) from pg_prepared_xacts where database = current_database()"
_NEXT_TRANSACTION = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_STATISTICS = """
    select concat_ws(' ', current_setting('track_counts'),
        (select stats_reset from pg_stat_bgwriter),
        (select stats_reset from pg_stat_database where datname = current_database())),
      (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
       from pg_stat_user_tables),
      (select coalesce(sum(n_tup_del), 0)::bigint from pg_stat_user_tables)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A database at one moment: nothing with a number from ``next_transaction`` on is in it.

    ``rows`` and ``definitions`` count what is in its tables and in its catalogue; ``rows`` is None
    where counting took too long, and then ``deleted`` stands in for it, as long as the statistics
    are those of ``statistics``.
    """

    next_transaction: int
    rows: int | None
    definitions: int
    sequences: str
    statistics: str
    deleted: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_state(said: Mapping[str, Any]) -> State | None:
    """Return a state that was kept as JSON; None if there is none, or it cannot be read."""
    try:
        return State(**said)
    except TypeError:
        return None


def state_of(connection: Connection, rows: Mapping[str, int]) -> State | None:
    """Take down how a database is, given the rows that were counted in it, by schema.table.

    Nobody may be writing: it is to be done before anybody is let in, and once it is out of
    recovery, which hides prepared transactions. None where one of these waits for its commit:
    writes of later could not be told.
    """
    if _row(connection, _PREPARED)[0]:
        return None
    counted = [rows.get(f"{schema}.{table}") for schema, table in connection.execute(_TABLES)]
    known = [count for count in counted if count is not None]
    marker, _moved, deleted = _row(connection, _STATISTICS)
    (following,) = _row(connection, _NEXT_TRANSACTION)
    return State(
        next_transaction=following,
        rows=sum(known) if len(known) == len(counted) else None,
        definitions=_definitions(connection, since=following)[0],
        sequences=_row(connection, _SEQUENCES)[0],
        statistics=marker,
        deleted=deleted,
    )


def activity_of(connection: Connection) -> str:
    """Return something that changes with every write that has ended; empty if it cannot be told.

    Sessions report theirs when they end: equal before and after all were sent out, it says that
    nothing was written in between.
    """
    marker, moved, _deleted = _row(connection, _STATISTICS)
    return f"{marker} {moved}" if marker.startswith("on ") else ""


def writes_since(connection: Connection, state: State, *, quiet_since: str = "") -> str:
    """Say what was written since a state, in a word or two; empty if nothing was.

    "rows of SCHEMA.TABLE", "definitions", "sequences", or "unknown" where it cannot be told.
    ``quiet_since`` is the ``activity_of`` an earlier look that found nothing: if it is still the
    same, the tables are not read again.
    """
    (following,) = _row(connection, _NEXT_TRANSACTION)
    if not 0 <= following - state.next_transaction < _HALF_A_CIRCLE:
        return "unknown"
    found = ""
    if following != state.next_transaction:
        found = _written(connection, state, quiet_since=quiet_since)
    # They move without a number of a transaction.
    if not found and _row(connection, _SEQUENCES)[0] != state.sequences:
        return "sequences"
    return found


def _written(connection: Connection, state: State, *, quiet_since: str) -> str:
    definitions, newer = _definitions(connection, since=state.next_transaction)
    if newer or definitions != state.definitions:
        return "definitions"
    if quiet_since and quiet_since == activity_of(connection):
        return ""
    return _written_rows(connection, state)


def _written_rows(connection: Connection, state: State) -> str:
    rows = 0
    for schema, table in connection.execute(_TABLES).fetchall():
        counted, newer = _count(connection, schema, table, since=state.next_transaction)
        if newer:
            return f"rows of {schema}.{table}"
        rows += counted
    if state.rows is not None:
        return "" if rows == state.rows else "rows"
    # What was deleted is only in the statistics, if these are the same ones still.
    marker, _moved, deleted = _row(connection, _STATISTICS)
    if marker != state.statistics or not marker.startswith("on "):
        return "unknown"
    return "" if deleted == state.deleted else "rows"


def _definitions(connection: Connection, *, since: int) -> tuple[int, int]:
    """Count the rows of the catalogue, and those of them that are newer."""
    total = newer = 0
    for (name,) in connection.execute(_CATALOGS, (_GATHERED,)).fetchall():
        found = _count(
            connection, "pg_catalog", name, since=since, where=_LASTING.get(name, "true")
        )
        total, newer = total + found[0], newer + found[1]
    return total, newer


def _count(
    connection: Connection, schema: str, table: str, *, since: int, where: str = "true"
) -> tuple[int, int]:
    query = sql.SQL(
        "select count(*), count(*) filter (where age(xmin) between 0 and age({}::xid))"
        " from {} where {}"
    ).format(
        sql.Literal(str(since % (1 << 32))),
        sql.Identifier(schema, table),
        sql.SQL(where),
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    # The number of the moment itself has age 0 until somebody takes it.
    return row[0], row[1]


@contextmanager
def shut_out(server: Server, name: str) -> Iterator[Connection]:
    """Let nobody into a database, send everybody out, and give the one connection that is left.

    It stays shut when the block ends well, for what follows; ``let_in`` opens it again, and so does
    an exception.

    :raises DatabaseBusy: if somebody does not leave
    """
    # In this order: once it is shut, we could not enter ourselves.
    with server.connect(name) as inside, server.connect(_beside(name)) as control:
        try:
            _allow(control, name, allowed=False)
            _send_out(control, name, but=inside.info.backend_pid)
            yield inside
        except BaseException:
            with suppress(psycopg.Error):
                _allow(control, name, allowed=True)
            raise


def let_in(server: Server, name: str) -> None:
    """Let people into a database again; one that is not there needs nobody."""
    with server.connect(_beside(name)) as control, suppress(psycopg.errors.InvalidCatalogName):
        _allow(control, name, allowed=True)


def _send_out(control: Connection, name: str, *, but: int) -> None:
    query = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where datname = %s and pid <> %s"
    )
    deadline = time.monotonic() + _FREE_SECONDS
    while _row(control, query, (name, but))[0]:
        if time.monotonic() > deadline:
            raise DatabaseBusy(f"sessions of {name} do not end")
        time.sleep(0.02)
    prepared = "select gid from pg_prepared_xacts where database = %s limit 1"
    if (held := control.execute(prepared, (name,)).fetchone()) is not None:
        raise DatabaseBusy(f"the prepared transaction {held[0]} holds {name}")


def _allow(control: Connection, name: str, *, allowed: bool) -> None:
    control.execute(
        sql.SQL("alter database {} allow_connections {}").format(
            sql.Identifier(name), sql.Literal(allowed)
        )
    )


def _beside(name: str) -> str:
    return "template1" if name == "postgres" else "postgres"


def _row(connection: Connection, query: str, arguments: Any = None) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row
