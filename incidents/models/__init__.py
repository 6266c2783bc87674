"""The record: rows, their constraints and their vocabulary."""

from incidents.models.actions import FINISHED, NEVER, UNFINISHED, ActionItem, ActionView
from incidents.models.alerts import Alert, AlertHook, AlertRefusal
from incidents.models.causes import RootCause, VendorCase
from incidents.models.components import Component
from incidents.models.figures import IncidentFigures, Measure
from incidents.models.history import StatusInterval
from incidents.models.incident import Incident, RoleAssignment
from incidents.models.lint import LintDismissal
from incidents.models.maintenance import (
    Maintenance,
    MaintenanceChange,
    MaintenanceTemplate,
    MaintenanceUpdate,
)
from incidents.models.notices import Notice, NoticeChannel
from incidents.models.postmortem import Postmortem, PostmortemSection
from incidents.models.progress import AT_WORK, OVER, ProgressReport
from incidents.models.promises import Cadence, Promise
from incidents.models.revisions import Revision
from incidents.models.rules import DeskRules, SeverityRule
from incidents.models.templates import MessageTemplate
from incidents.models.tenants import BackupProof, Tenant, TenantProgress
from incidents.models.timeline import Evidence, TimelineEntry
from incidents.models.trackers import Tracker, TrackerIssue
from incidents.models.updates import ComponentChange, Impact, StatusUpdate, UpdateTemplate

__all__ = [
    "AT_WORK",
    "FINISHED",
    "NEVER",
    "OVER",
    "UNFINISHED",
    "ActionItem",
    "ActionView",
    "Alert",
    "AlertHook",
    "AlertRefusal",
    "BackupProof",
    "Cadence",
    "Component",
    "ComponentChange",
    "DeskRules",
    "Evidence",
    "Impact",
    "Incident",
    "IncidentFigures",
    "LintDismissal",
    "Maintenance",
    "MaintenanceChange",
    "MaintenanceTemplate",
    "MaintenanceUpdate",
    "Measure",
    "MessageTemplate",
    "Notice",
    "NoticeChannel",
    "Postmortem",
    "PostmortemSection",
    "ProgressReport",
    "Promise",
    "Revision",
    "RoleAssignment",
    "RootCause",
    "SeverityRule",
    "StatusInterval",
    "StatusUpdate",
    "Tenant",
    "TenantProgress",
    "TimelineEntry",
    "Tracker",
    "TrackerIssue",
    "UpdateTemplate",
    "VendorCase",
]
