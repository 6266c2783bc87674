"""Looking at what came back: each tenant's database is there, answers, and its rows are counted."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from backups.engines.replay import Replay
from backups.errors import VerificationFailed
from backups.models import Tenant
from backups.steps import Step

TABLES = """
    select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
      and n.nspname not like 'pg_toast%' and c.relpersistence <> 't'
    order by 1, 2
"""

Evidence = dict[str, Any]


def is_absent(found: Evidence) -> bool:
    """Whether a tenant's evidence says that it did not exist yet at the target."""
    return bool(found.get("absent"))


def is_whole(found: Evidence) -> bool:
    """Whether a tenant's evidence says that every one of its tables was counted."""
    return "rows" in found and not found.get("uncounted")


def are_whole(evidence: Evidence) -> bool:
    """Whether everything that came back was counted; never so where nothing was looked at."""
    seen = [found for found in evidence.values() if not is_absent(found)]
    return bool(seen) and all(is_whole(found) for found in seen)


def has_rows(evidence: Evidence) -> bool:
    """Whether rows of anybody were read back at all."""
    return any(any(found.get("rows", {}).values()) for found in evidence.values())


def count_tenants(
    replay: Replay, tenants: list[Tenant], *, data_until_at: datetime, evidence: Evidence
) -> Iterator[Step]:
    """Count the rows of every tenant's tables into ``evidence``, by public code.

    A table that is locked at the target or too large to count in half a minute is named under
    "uncounted". A database that did not exist yet at the target may be missing.

    :raises VerificationFailed: if a tenant's database is not there though it should be, or cannot
    be read
    """
    yield Step(done=0, total=len(tenants))
    for number, tenant in enumerate(tenants, start=1):
        try:
            with replay.connect(tenant.name) as connection:
                evidence[tenant.public_code] = _count(connection)
        except psycopg.OperationalError as error:
            if not _says_absent(error):
                raise VerificationFailed(f"{tenant.name}: {error}") from error
            if tenant.registered_at <= data_until_at:
                raise VerificationFailed(f"the database {tenant.name} did not come back") from error
            evidence[tenant.public_code] = {"absent": True}
        yield Step(done=number, total=len(tenants))


def _count(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, Any]:
    rows: dict[str, int] = {}
    uncounted = []
    for schema, table in connection.execute(TABLES).fetchall():
        name = f"{schema}.{table}"
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(str(schema), str(table)))
        try:
            counted = connection.execute(query).fetchone()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
            uncounted.append(name)
        except psycopg.Error as error:
            raise VerificationFailed(f"{name} cannot be read: {error}") from error
        else:
            assert counted is not None
            assert isinstance(counted[0], int)
            rows[name] = counted[0]
    return {"rows": rows, "uncounted": uncounted}


def _says_absent(error: psycopg.OperationalError) -> bool:
    # A refused connection carries no SQLSTATE in psycopg, only the server's words.
    return "does not exist" in str(error)
