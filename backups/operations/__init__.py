"""Every way in which backups and restores are asked for, and what they need is registered."""

from backups.operations.backups import (
    CatalogueUnreadable,
    LabelRefused,
    sync_backups,
    take_backup,
)
from backups.operations.registration import (
    NotRegistrable,
    give_codes,
    move_storage_location,
    register_database,
    register_recovery_target,
    register_storage_location,
    register_tenant,
    register_tenants,
    renew_code,
    set_proof_terms,
    unregister_tenant,
)
from backups.operations.restores import (
    NoBackup,
    NoSuchIncident,
    NotCancellable,
    NotResumable,
    PointOutOfReach,
    TargetBusy,
    cancel_restore,
    request_restore,
    resume_restore,
)

__all__ = [
    "CatalogueUnreadable",
    "LabelRefused",
    "NoBackup",
    "NoSuchIncident",
    "NotCancellable",
    "NotRegistrable",
    "NotResumable",
    "PointOutOfReach",
    "TargetBusy",
    "cancel_restore",
    "give_codes",
    "move_storage_location",
    "register_database",
    "register_recovery_target",
    "register_storage_location",
    "register_tenant",
    "register_tenants",
    "renew_code",
    "request_restore",
    "resume_restore",
    "set_proof_terms",
    "sync_backups",
    "take_backup",
    "unregister_tenant",
]
