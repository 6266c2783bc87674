"""What is protected, where its backups are, and what is being done to bring it back."""

from backups.models.catalogue import Backup, BackupKind, BackupQuerySet
from backups.models.copying import CopyJob, CopyKind, CopyPhase, ReplicaState
from backups.models.drills import DRILL_OVER, Drill, DrillState
from backups.models.findings import CheckName, FindingState, RestoreFinding
from backups.models.jobs import BackupJob, JobState
from backups.models.manifests import ManifestJob, ManifestPart
from backups.models.policies import (
    MONTH,
    BackupPolicy,
    DrillAlarm,
    MaintenanceWindow,
    PolicyChange,
)
from backups.models.protected import CheckDepth, Database, EngineName, Tenant
from backups.models.readiness import (
    BackupCheck,
    BackupCheckChange,
    BackupCheckName,
    CheckState,
    LossForecast,
    ObjectReading,
    ReadingState,
)
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
from backups.models.runbooks import RunbookSection, RunbookTick
from backups.models.standbys import Standby, StandbyState
from backups.models.storage import (
    ProbeKind,
    SaturationWindow,
    StorageLocation,
    StorageMeasurement,
    StorageProbe,
    StorageRole,
    WindowSource,
)
from backups.models.tenants import TenantRestore, TenantRestoreState, VerificationCheck
from backups.models.watching import AlertRule, BackupAlert, Heartbeat, Silence

__all__ = [
    "DRILL_OVER",
    "MONTH",
    "AlertRule",
    "AttemptOutcome",
    "Backup",
    "BackupAlert",
    "BackupCheck",
    "BackupCheckChange",
    "BackupCheckName",
    "BackupJob",
    "BackupKind",
    "BackupPolicy",
    "BackupQuerySet",
    "CheckDepth",
    "CheckName",
    "CheckState",
    "CopyJob",
    "CopyKind",
    "CopyPhase",
    "Database",
    "Drill",
    "DrillAlarm",
    "DrillState",
    "EngineName",
    "Estimate",
    "FindingState",
    "Heartbeat",
    "JobState",
    "LossForecast",
    "MaintenanceWindow",
    "ManifestJob",
    "ManifestPart",
    "ObjectReading",
    "PolicyChange",
    "ProbeKind",
    "ReadingState",
    "RecoveryTarget",
    "ReplicaState",
    "RestoreAttempt",
    "RestoreFinding",
    "RestoreJob",
    "RestorePhase",
    "RestorePoint",
    "RestoreStep",
    "RestoreStrategy",
    "RunbookSection",
    "RunbookTick",
    "SaturationWindow",
    "Silence",
    "Standby",
    "StandbyState",
    "StorageLocation",
    "StorageMeasurement",
    "StorageProbe",
    "StorageRole",
    "Tenant",
    "TenantRestore",
    "TenantRestoreState",
    "VerificationCheck",
    "WindowSource",
]
