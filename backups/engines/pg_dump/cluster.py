"""What a cluster has beside its databases: roles, settings, the role that it was made with."""

from datetime import datetime
from typing import cast

from backups.engines import programs
from backups.engines.dumps import Server

SILENCE_SECONDS = 120
# Where a cluster's own configuration comes from; what it is, where it lies and how it was built is
# told by its files.
_SETTINGS = """
    select name, current_setting(name) from pg_settings
    where source = 'configuration file' and context <> 'internal' order by name
"""


def databases_of(server: Server) -> dict[str, int]:
    """Name the databases to dump with their sizes: all that let anybody in, but templates."""
    with server.connect() as connection:
        return dict(
            connection.execute(
                "select datname, pg_database_size(oid) from pg_database "
                "where datallowconn and not datistemplate order by 2 desc, 1"
            ).fetchall()
        )


def moment_at(server: Server) -> datetime:
    """Return what the server's clock says, which its customers' rows have the time from."""
    with server.connect() as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
        assert row is not None
        return cast("datetime", row[0])


def facts_of(server: Server) -> tuple[str, dict[str, str]]:
    """Return the role that the cluster was made with, and what its configuration files set."""
    with server.connect() as connection:
        row = connection.execute("select rolname from pg_roles where oid = 10").fetchone()
        assert row is not None
        return row[0], dict(connection.execute(_SETTINGS).fetchall())


def dump_roles(server: Server) -> str:
    """Return the statements that make the roles, with what they are members of and may do.

    It holds the hashes of their passwords, as every physical backup does.
    """
    command = [
        server.program("pg_dumpall"),
        "--roles-only",
        "--no-password",
        f"--dbname={server.conninfo('postgres')}",
    ]
    return programs.run(command, env=server.environment, silence_seconds=SILENCE_SECONDS)
