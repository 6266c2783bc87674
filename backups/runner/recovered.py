"""The cluster that was recovered beside, from which tenants are brought forward one by one."""

import shutil
from collections.abc import Collection, Generator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from backups.engines.dumps import Server, dump_database
from backups.steps import Step

# What the evidence of a database says that was recovered, and was not brought forward.
NOT_BROUGHT = "not_brought"


def not_brought(evidence: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the databases that a restore's evidence says were recovered and not brought."""
    return [found[NOT_BROUGHT] for found in evidence.values() if NOT_BROUGHT in found]


class RecoveredCluster:
    """Its databases, each dumped when its turn comes. Asked from several threads at once.

    All of them go up to ``until``. Dumps lie under ``folder``.
    """

    def __init__(self, server: Server, folder: Path, *, until: datetime) -> None:
        self.until = until
        self._server = server
        self._folder = folder

    def sizes(self) -> Mapping[str, int]:
        """Name the databases that are there, each with the bytes that it holds."""
        with self._server.connect() as connection:
            return dict(
                connection.execute(
                    "select datname, pg_database_size(oid) from pg_database where not datistemplate"
                ).fetchall()
            )

    def others(self, known: Collection[str]) -> list[str]:
        """Name the databases that hold something and are none of those, in order."""
        names = set(self.sizes()) - set(known)
        # Every cluster has this one; it counts if somebody made something in it.
        if "postgres" in names and not self._has_tables("postgres"):
            names.remove("postgres")
        return sorted(names)

    def _has_tables(self, name: str) -> bool:
        with self._server.connect(name) as inside:
            made = inside.execute(
                "select 1 from pg_class where oid >= 16384 and relkind in ('r', 'p', 'm') limit 1"
            ).fetchone()
        return made is not None

    def dump(self, name: str, *, jobs: int) -> Generator[Step, None, None]:
        """Dump a database to ``dump_of``. Closing the iterator ends it."""
        # What an earlier attempt dumped may be of a cluster that was recovered anew since.
        self.drop_dump(name)
        return dump_database(self._server, name, self.dump_of(name), jobs=jobs, is_passing=True)

    def dump_of(self, name: str) -> Path:
        """Return the folder of a database's dump."""
        return self._folder / _folder_name(name)

    def drop_dump(self, name: str) -> None:
        """Give back the disk that a dump takes."""
        shutil.rmtree(self.dump_of(name), ignore_errors=True)

    def free_connections(self) -> int:
        """Say how many more connections the cluster takes, ours counted as free."""
        return free_connections(self._server)


def free_connections(server: Server) -> int:
    """Say how many more connections a server takes, ours counted as free."""
    with server.connect() as connection:
        row = connection.execute(
            "select current_setting('max_connections')::int "
            "- current_setting('superuser_reserved_connections')::int - count(*) "
            "from pg_stat_activity "
            "where backend_type = 'client backend' and application_name <> 'highwater'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _folder_name(name: str) -> str:
    """Return a name that every file system takes for a database of any name."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else f"%{ord(c):x}" for c in name)
