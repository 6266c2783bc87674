"""Deeds on planned work: it is scheduled, it takes its course, and the clock carries it on."""

from incidents.operations.maintenance.clock import advance_maintenances
from incidents.operations.maintenance.course import (
    cancel_maintenance,
    correct_maintenance_update,
    finish_maintenance,
    post_maintenance_update,
    start_maintenance,
    verify_maintenance,
)
from incidents.operations.maintenance.planning import (
    Plan,
    edit_maintenance,
    extend_maintenance,
    reschedule_maintenance,
    schedule_maintenance,
)
from incidents.operations.maintenance.refusals import (
    ExtensionIsNoLater,
    MaintenanceEndsBeforeStart,
    MaintenanceHasBegun,
    MaintenanceInThePast,
    MaintenanceIsLong,
    MaintenanceNotRunning,
    MaintenanceOver,
)
from incidents.operations.maintenance.templates import (
    MaintenanceTemplateNameTaken,
    add_maintenance_template,
    edit_maintenance_template,
    remove_maintenance_template,
)

__all__ = [
    "ExtensionIsNoLater",
    "MaintenanceEndsBeforeStart",
    "MaintenanceHasBegun",
    "MaintenanceInThePast",
    "MaintenanceIsLong",
    "MaintenanceNotRunning",
    "MaintenanceOver",
    "MaintenanceTemplateNameTaken",
    "Plan",
    "add_maintenance_template",
    "advance_maintenances",
    "cancel_maintenance",
    "correct_maintenance_update",
    "edit_maintenance",
    "edit_maintenance_template",
    "extend_maintenance",
    "finish_maintenance",
    "post_maintenance_update",
    "remove_maintenance_template",
    "reschedule_maintenance",
    "schedule_maintenance",
    "start_maintenance",
    "verify_maintenance",
]
