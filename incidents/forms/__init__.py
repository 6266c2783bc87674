"""What the desk asks for, and whether the answers can be meant. Forms validate and never save."""

from incidents.forms.components import ComponentForm, ComponentStatusForm
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
from incidents.forms.postmortem import ConfirmForm, PastedForm
from incidents.forms.promises import PromiseForm, SettleForm, WithdrawForm
from incidents.forms.timeline import EditEntryForm, QuickEntryForm
from incidents.forms.updates import CorrectForm, TemplateForm, UpdateForm

__all__ = [
    "ActionFilterForm",
    "ActionForm",
    "CauseForm",
    "ComponentForm",
    "ComponentStatusForm",
    "ConfirmForm",
    "CorrectForm",
    "DeclareForm",
    "EditEntryForm",
    "EditIncidentForm",
    "IncidentFilterForm",
    "MoveActionForm",
    "PastedForm",
    "PolicyForm",
    "PromiseForm",
    "QuickEntryForm",
    "ReopenForm",
    "ResolveForm",
    "RoleForm",
    "SettleForm",
    "TemplateForm",
    "UpdateForm",
    "WithdrawForm",
]
