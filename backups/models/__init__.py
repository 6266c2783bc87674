"""What is protected, where its backups are, and what is being done to bring it back."""

from backups.models.catalogue import Backup, BackupKind, BackupQuerySet
from backups.models.jobs import BackupJob, JobState
from backups.models.protected import Database, EngineName, Tenant
from backups.models.restores import (
    AttemptOutcome,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    RestorePhase,
    RestoreStep,
)
from backups.models.storage import StorageLocation, StorageRole

__all__ = [
    "AttemptOutcome",
    "Backup",
    "BackupJob",
    "BackupKind",
    "BackupQuerySet",
    "Database",
    "EngineName",
    "JobState",
    "RecoveryTarget",
    "RestoreAttempt",
    "RestoreJob",
    "RestorePhase",
    "RestoreStep",
    "StorageLocation",
    "StorageRole",
    "Tenant",
]
