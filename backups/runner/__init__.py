"""Doing the work: backups taken, catalogues read, restores carried to their end."""

from backups.runner.backup import run_backup
from backups.runner.carrying import run_restore
from backups.runner.catalogue import sync_catalogue
from backups.runner.proofs import tell_proof, tell_proofs
from backups.runner.telling import tell_queued
from backups.runner.upkeep import waiting_backups, waiting_restores

__all__ = [
    "run_backup",
    "run_restore",
    "sync_catalogue",
    "tell_proof",
    "tell_proofs",
    "tell_queued",
    "waiting_backups",
    "waiting_restores",
]
