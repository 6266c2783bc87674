"""What is the same of every cluster in recovery: what it needs, and how we look into it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg

from backups.engines.postgres import Postgres
from backups.engines.wal import parse_lsn

# PostgreSQL refuses to serve reads while replaying if these are lower than they were at the source.
LIMITS = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where replay stands."""

    in_recovery: bool
    replayed_lsn: int
    is_paused: bool
    replayed_at: datetime | None


def control_of(postgres: Postgres) -> Mapping[str, str]:
    """Return what ``pg_controldata`` says of a cluster, by its labels.

    :raises PostgresFailed: if there is none
    """
    said = postgres.run("pg_controldata", str(postgres.data_dir)).stdout
    return dict(re.findall(r"^(.+?):\s+(.+)$", said, flags=re.MULTILINE))


def limits_of(postgres: Postgres) -> dict[str, str]:
    """Return the settings that may not be lower than they were at the source."""
    values = control_of(postgres)
    return {ours: values[theirs] for theirs, ours in LIMITS.items() if theirs in values}


def connected(
    postgres: Postgres, superuser: str, database: str = "postgres"
) -> "psycopg.Connection[tuple[object, ...]]":
    """Open a connection through the private socket; nothing on it waits for long.

    A table that was about to be dropped is locked while recovery is paused, hence the limit on
    locks.

    :raises FileNotFoundError: if the server is not running, or not private
    :raises psycopg.OperationalError: if it takes no connections yet
    """
    folder = postgres.private_folder()
    if folder is None:
        raise FileNotFoundError("the server has no private socket")
    return psycopg.connect(
        host=str(folder),
        port=postgres.port,
        user=superuser,
        dbname=database,
        connect_timeout=5,
        autocommit=True,
        options="-c lock_timeout=2s -c statement_timeout=30s -c default_transaction_read_only=on",
    )


def position_of(postgres: Postgres, superuser: str) -> Position | None:
    """Ask a server where it is; None while it does not take questions."""
    try:
        with connected(postgres, superuser) as connection:
            row = connection.execute(
                "select pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, "
                "case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() end, "
                "pg_last_xact_replay_timestamp()"
            ).fetchone()
    except (psycopg.OperationalError, FileNotFoundError):
        return None
    assert row is not None
    return Position(
        in_recovery=bool(row[0]),
        replayed_lsn=parse_lsn(str(row[1])) if row[1] else 0,
        is_paused=row[2] == "paused",
        replayed_at=row[3] if isinstance(row[3], datetime) else None,
    )
