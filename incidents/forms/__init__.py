"""What the desk asks for, and whether the answers can be meant. Forms validate and never save."""

from incidents.forms.backfill import MOST_UPDATES, BackfillForm, PastUpdates
from incidents.forms.components import ComponentForm, ComponentStatusForm, HistoryForm
from incidents.forms.impacts import ImpactForm
from incidents.forms.incident import (
    DeclareForm,
    EditIncidentForm,
    PolicyForm,
    ReopenForm,
    ResolveForm,
    RoleForm,
)
from incidents.forms.learning import ActionFilterForm, ActionForm, CauseForm, MoveActionForm
from incidents.forms.lists import IncidentFilterForm
from incidents.forms.maintenance import (
    DeedForm,
    EditMaintenanceForm,
    ExtendForm,
    MaintenanceTemplateForm,
    MaintenanceUpdateForm,
    MoveForm,
    ScheduleForm,
    WindowForm,
    plan_of,
)
from incidents.forms.messages import MessageTemplateForm
from incidents.forms.postmortem import ConfirmForm, PastedForm
from incidents.forms.promises import PromiseForm, SettleForm, WithdrawForm
from incidents.forms.timeline import EditEntryForm, QuickEntryForm
from incidents.forms.updates import CorrectForm, TemplateForm, UpdateForm

__all__ = [
    "MOST_UPDATES",
    "ActionFilterForm",
    "ActionForm",
    "BackfillForm",
    "CauseForm",
    "ComponentForm",
    "ComponentStatusForm",
    "ConfirmForm",
    "CorrectForm",
    "DeclareForm",
    "DeedForm",
    "EditEntryForm",
    "EditIncidentForm",
    "EditMaintenanceForm",
    "ExtendForm",
    "HistoryForm",
    "ImpactForm",
    "IncidentFilterForm",
    "MaintenanceTemplateForm",
    "MaintenanceUpdateForm",
    "MessageTemplateForm",
    "MoveActionForm",
    "MoveForm",
    "PastUpdates",
    "PastedForm",
    "PolicyForm",
    "PromiseForm",
    "QuickEntryForm",
    "ReopenForm",
    "ResolveForm",
    "RoleForm",
    "ScheduleForm",
    "SettleForm",
    "TemplateForm",
    "UpdateForm",
    "WindowForm",
    "WithdrawForm",
    "plan_of",
]
