"""The record: rows, their constraints and their vocabulary."""

from incidents.models.components import Component
from incidents.models.history import StatusInterval
from incidents.models.incident import Incident, RoleAssignment
from incidents.models.learning import ActionItem, LintDismissal, Postmortem, RootCause
from incidents.models.maintenance import (
    Maintenance,
    MaintenanceChange,
    MaintenanceTemplate,
    MaintenanceUpdate,
)
from incidents.models.progress import AT_WORK, OVER, ProgressReport
from incidents.models.promises import Cadence, Promise
from incidents.models.revisions import Revision
from incidents.models.templates import MessageTemplate
from incidents.models.tenants import BackupProof, Tenant, TenantProgress
from incidents.models.timeline import Evidence, TimelineEntry
from incidents.models.updates import ComponentChange, Impact, StatusUpdate, UpdateTemplate

__all__ = [
    "AT_WORK",
    "OVER",
    "ActionItem",
    "BackupProof",
    "Cadence",
    "Component",
    "ComponentChange",
    "Evidence",
    "Impact",
    "Incident",
    "LintDismissal",
    "Maintenance",
    "MaintenanceChange",
    "MaintenanceTemplate",
    "MaintenanceUpdate",
    "MessageTemplate",
    "Postmortem",
    "ProgressReport",
    "Promise",
    "Revision",
    "RoleAssignment",
    "RootCause",
    "StatusInterval",
    "StatusUpdate",
    "Tenant",
    "TenantProgress",
    "TimelineEntry",
    "UpdateTemplate",
]
