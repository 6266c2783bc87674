"""Counting what came back: each tenant's database is there, answers, and its rows are counted."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from django.db.models import QuerySet
from psycopg import sql

from backups.engines.replay import Replay
from backups.errors import VerificationFailed
from backups.models import CheckName, FindingState, RestoreFinding, RestoreJob, Tenant
from backups.steps import Step
from incidents.values import Looked

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
    return "rows" in found and not (found.get("uncounted") or found.get("unreadable"))


def are_whole(evidence: Evidence) -> bool:
    """Whether everything that came back was counted; never so where nothing was looked at."""
    seen = [found for found in evidence.values() if not is_absent(found)]
    return bool(seen) and all(is_whole(found) for found in seen)


def has_rows(evidence: Evidence) -> bool:
    """Whether rows of anybody were read back at all."""
    return any(any(found.get("rows", {}).values()) for found in evidence.values())


def looked_at(job: RestoreJob) -> Looked:
    """Return what the last look at a restore found well: what it did not look at is not claimed."""
    well = {
        name
        for name in (CheckName.STRUCTURE, CheckName.PAGES)
        if _is_all_well(job.findings.filter(check_name=name))
    }
    own = job.findings.filter(check_name=CheckName.OWN)
    return Looked(
        tables=are_whole(job.evidence),
        indexes=CheckName.STRUCTURE in well,
        pages=CheckName.PAGES in well,
        own=own.filter(state=FindingState.OK).count(),
        own_of=own.count(),
    )


def _is_all_well(findings: QuerySet[RestoreFinding]) -> bool:
    """Whether these checks looked at everything, and found all of it well."""
    found = list(findings.values_list("state", "figures"))
    return bool(found) and all(
        state == FindingState.OK and not figures.get("left_out") for state, figures in found
    )


def count_tenants(
    replay: Replay, tenants: list[Tenant], *, data_until_at: datetime, evidence: Evidence
) -> Iterator[Step]:
    """Count the rows of every tenant's tables into ``evidence``, by public code.

    A table that is locked or too large to count in half a minute is named under "uncounted", one
    that cannot be read under "unreadable", with the server's words. A database that did not exist
    yet at the target is "absent"; one that should be there and is not is "missing".

    :raises VerificationFailed: if the server does not answer
    """
    yield Step(done=0, total=len(tenants))
    for number, tenant in enumerate(tenants, start=1):
        try:
            with replay.connect(tenant.name) as connection:
                evidence[tenant.public_code] = _count(connection)
        except psycopg.OperationalError as error:
            came_later = tenant.registered_at > data_until_at
            if _says_absent(error):
                evidence[tenant.public_code] = {"absent" if came_later else "missing": True}
            else:
                _require_answer(replay, error)
                evidence[tenant.public_code] = {"unreadable": {tenant.name: str(error)}}
        except psycopg.Error as error:
            evidence[tenant.public_code] = {"unreadable": {tenant.name: str(error)}}
        yield Step(done=number, total=len(tenants))


def _count(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, Any]:
    rows: dict[str, int] = {}
    uncounted = []
    unreadable = {}
    for schema, table in connection.execute(TABLES).fetchall():
        name = f"{schema}.{table}"
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(str(schema), str(table)))
        try:
            counted = connection.execute(query).fetchone()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
            uncounted.append(name)
        except psycopg.Error as error:
            if connection.broken:
                raise VerificationFailed(f"the server went away over {name}: {error}") from error
            unreadable[name] = str(error)
        else:
            assert counted is not None
            assert isinstance(counted[0], int)
            rows[name] = counted[0]
    found = {"rows": rows, "uncounted": uncounted}
    return found | {"unreadable": unreadable} if unreadable else found


def _require_answer(replay: Replay, failure: psycopg.Error) -> None:
    """Make sure that it is one database alone that cannot be entered, and not the server."""
    try:
        replay.connect().close()
    except (psycopg.OperationalError, FileNotFoundError) as error:
        raise VerificationFailed(f"{failure}; the server does not answer") from error


def _says_absent(error: psycopg.OperationalError) -> bool:
    # A refused connection carries no SQLSTATE in psycopg, only the server's words.
    return "does not exist" in str(error)
