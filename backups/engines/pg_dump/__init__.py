"""Backups by pg_dump: each database of a cluster on its own, and the roles."""

from backups.engines.pg_dump.engine import PgDump

__all__ = ["ENGINE", "PgDump"]

ENGINE = PgDump
