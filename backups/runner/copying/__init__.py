"""Copies of archives in other places: what is missing there is brought, and nothing deleted."""

from backups.runner.copying.archiving import (
    COMPARED_WITHIN,
    Archiving,
    archiving_at,
    still_arrives,
    was_compared,
)
from backups.runner.copying.due import begin_due_copies, thin_copies
from backups.runner.copying.run import run_copy

__all__ = [
    "COMPARED_WITHIN",
    "Archiving",
    "archiving_at",
    "begin_due_copies",
    "run_copy",
    "still_arrives",
    "thin_copies",
    "was_compared",
]
