"""What is protected, where its backups are, and what is being done to bring it back."""

from backups.models.catalogue import Backup, BackupKind, BackupQuerySet
from backups.models.findings import CheckName, FindingState, RestoreFinding
from backups.models.jobs import BackupJob, JobState
from backups.models.protected import CheckDepth, Database, EngineName, Tenant
from backups.models.restores import (
    AttemptOutcome,
    Estimate,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    RestorePhase,
    RestorePoint,
    RestoreStep,
    RestoreStrategy,
)
from backups.models.storage import StorageLocation, StorageMeasurement, StorageRole
from backups.models.tenants import TenantRestore, TenantRestoreState, VerificationCheck

__all__ = [
    "AttemptOutcome",
    "Backup",
    "BackupJob",
    "BackupKind",
    "BackupQuerySet",
    "CheckDepth",
    "CheckName",
    "Database",
    "EngineName",
    "Estimate",
    "FindingState",
    "JobState",
    "RecoveryTarget",
    "RestoreAttempt",
    "RestoreFinding",
    "RestoreJob",
    "RestorePhase",
    "RestorePoint",
    "RestoreStep",
    "RestoreStrategy",
    "StorageLocation",
    "StorageMeasurement",
    "StorageRole",
    "Tenant",
    "TenantRestore",
    "TenantRestoreState",
    "VerificationCheck",
]
