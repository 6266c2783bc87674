"""Backups by pgBackRest, which is run for its catalogue, its backups and its unpacking."""

from backups.engines.pgbackrest.engine import PgBackRest

__all__ = ["ENGINE", "PgBackRest"]

ENGINE = PgBackRest
