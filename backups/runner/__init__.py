"""Doing the work: backups taken, catalogues read, restores carried to their end."""

from backups.runner.backup import run_backup
from backups.runner.carrying import run_restore
from backups.runner.catalogue import sync_catalogue
from backups.runner.upkeep import waiting_backups, waiting_restores

__all__ = [
    "run_backup",
    "run_restore",
    "sync_catalogue",
    "waiting_backups",
    "waiting_restores",
]
