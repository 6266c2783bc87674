"""Doing the work: backups taken, catalogues read, restores carried to their end."""

from backups.runner.backup import run_backup
from backups.runner.carrying import run_restore
from backups.runner.catalogue import sync_catalogue
from backups.runner.looking import Look, look_at_archive
from backups.runner.options import read_facts
from backups.runner.places import clear_left_place, left_places
from backups.runner.proofs import tell_proof, tell_proofs
from backups.runner.targets import probe_target, targets_by_queue
from backups.runner.telling import tell_paused, tell_pivoted, tell_queued
from backups.runner.trying import NotAsked, try_question
from backups.runner.upkeep import waiting_backups, waiting_restores

__all__ = [
    "Look",
    "NotAsked",
    "clear_left_place",
    "left_places",
    "look_at_archive",
    "probe_target",
    "read_facts",
    "run_backup",
    "run_restore",
    "sync_catalogue",
    "targets_by_queue",
    "tell_paused",
    "tell_pivoted",
    "tell_proof",
    "tell_proofs",
    "tell_queued",
    "try_question",
    "waiting_backups",
    "waiting_restores",
]
