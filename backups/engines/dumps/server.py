"""A running PostgreSQL that databases are dumped from and restored into."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from backups.errors import EngineFailed

COUNT_SECONDS = 60

# Tables whose rows a dump holds: no foreign, temporary or unlogged ones, and none that an
# extension fills anew when it is created. Their size is the one last noted: asking for the present
# one would wait for whoever has a table locked.
_TABLES = """
    select n.nspname, c.relname, 8192 * (greatest(c.relpages, 1) + coalesce(t.relpages, 0))::bigint
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join pg_class t on t.oid = c.reltoastrelid
    where c.relkind = 'r' and c.relpersistence = 'p'
      and n.nspname not in ('pg_catalog', 'information_schema')
      and not exists (
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
          and d.deptype = 'e')
    order by 1, 2
"""

Connection = psycopg.Connection[Any]


class Table(NamedTuple):
    schema: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class ServerUnreachable(EngineFailed):
    """A PostgreSQL server does not let us in; its words are in the detail."""

    code = "server-unreachable"
    advice = (
        "The PostgreSQL server cannot be reached, or refuses the account (the log has its words). "
        "See whether it runs and whether address and password are right, then try again."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a server is, who enters it, and the folder of the programs of its major version.

    ``host`` may be the folder of a socket. The user has to be a superuser.
    """

    host: str
    port: int
    user: str
    bin_dir: Path
    password: str = field(default="", repr=False)
    # Whether a statement keeps to one processor: others are at work beside it.
    is_frugal: bool = False

    def frugal(self) -> "Server":
        """Return it as one whose statements start no parallel workers."""
        return replace(self, is_frugal=True)

    def conninfo(self, database: str) -> str:
        """Return how programs reach a database; a peer that is gone is noticed in a minute."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=self.user,
            dbname=database,
            application_name="highwater",
            connect_timeout=10,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60000,
            # What was not flushed at the end is flushed with the first commit that waits for it:
            # the one that gives the database its grants and settings.
            options=f"-c synchronous_commit=off{self._workers}",
        )

    @property
    def _workers(self) -> str:
        if not self.is_frugal:
            return ""
        return " -c max_parallel_workers_per_gather=0 -c max_parallel_maintenance_workers=0"

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs need to enter: never on a command line, which every account may read."""
        return {"PGPASSWORD": self.password} if self.password else {}

    def program(self, name: str) -> str:
        return str(self.bin_dir / name)

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[Connection]:
        """Open a connection in which every statement is its own transaction.

        :raises ServerUnreachable: if the server does not answer or refuses
        """
        try:
            connection = psycopg.connect(
                self.conninfo(database),
                password=self.password or None,
                options=f"-c timezone=UTC{self._workers}",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise ServerUnreachable(f"{database}: {error}") from error
        with connection:
            yield connection


def counts_of(server: Server, name: str) -> dict[str, int | None]:
    """Count the rows of a database's tables, by ``schema.table``, as they are at one moment.

    None stands for a table that was locked, or too large to count in a minute.
    """
    with server.connect(name) as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        return {
            table.full_name: count_rows(connection, table) for table, _size in tables_of(connection)
        }


def tables_of(connection: Connection) -> list[tuple[Table, int]]:
    """Name the tables whose rows a dump holds, with about how many bytes they have on disk."""
    return [(Table(schema, name), size) for schema, name, size in connection.execute(_TABLES)]


def count_rows(connection: Connection, table: Table) -> int | None:
    """Count a table's rows inside a transaction; None if it is locked, or too large for that."""
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(*table))
    try:
        with connection.transaction():
            connection.execute(f"set local statement_timeout = '{COUNT_SECONDS}s'")
            connection.execute("set local lock_timeout = '2s'")
            row = connection.execute(query).fetchone()
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
        return None
    assert row is not None
    return int(row[0])
