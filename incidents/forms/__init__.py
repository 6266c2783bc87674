"""What the desk asks for, and whether the answers can be meant. Forms validate and never save."""

from incidents.forms.alerts import AlertHookForm
from incidents.forms.backfill import MOST_UPDATES, BackfillForm, PastUpdates
from incidents.forms.components import ComponentForm, ComponentStatusForm, HistoryForm
from incidents.forms.entries import EditEntryForm, FileForm, LinkForm, PlaceForm
from incidents.forms.fields import full_name
from incidents.forms.figures import FiguresForm
from incidents.forms.impacts import ImpactForm, impact_initial
from incidents.forms.incident import (
    CloseForm,
    DeclareForm,
    EditIncidentForm,
    PolicyForm,
    ReopenForm,
    ResolveForm,
    ShowForm,
)
from incidents.forms.learning import (
    ActionFilterForm,
    ActionForm,
    ActionViewForm,
    CauseForm,
    MoveActionForm,
    VendorCaseForm,
)
from incidents.forms.lists import IncidentFilterForm, SearchForm
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
from incidents.forms.notices import MyAddressForm, NoticeChannelForm
from incidents.forms.postmortem import ConfirmForm, PastedForm
from incidents.forms.postmortems import AccountForm, NewSectionForm, ReturnForm, SectionForm
from incidents.forms.promises import PromiseForm, SettleForm, WithdrawForm
from incidents.forms.roles import (
    CorrectRoleForm,
    HandoverForm,
    MemberForm,
    OtherIncidentForm,
    PartingForm,
    RoleForm,
)
from incidents.forms.rules import RulesForm
from incidents.forms.timeline import LONGEST_LINE, QuickEntryForm, TimelineFilterForm
from incidents.forms.trackers import SendForm, TrackerForm
from incidents.forms.updates import CorrectForm, ReasonForm, TemplateForm, UpdateForm

__all__ = [
    "LONGEST_LINE",
    "MOST_UPDATES",
    "AccountForm",
    "ActionFilterForm",
    "ActionForm",
    "ActionViewForm",
    "AlertHookForm",
    "BackfillForm",
    "CauseForm",
    "CloseForm",
    "ComponentForm",
    "ComponentStatusForm",
    "ConfirmForm",
    "CorrectForm",
    "CorrectRoleForm",
    "DeclareForm",
    "DeedForm",
    "EditEntryForm",
    "EditIncidentForm",
    "EditMaintenanceForm",
    "ExtendForm",
    "FiguresForm",
    "FileForm",
    "HandoverForm",
    "HistoryForm",
    "ImpactForm",
    "IncidentFilterForm",
    "LinkForm",
    "MaintenanceTemplateForm",
    "MaintenanceUpdateForm",
    "MemberForm",
    "MessageTemplateForm",
    "MoveActionForm",
    "MoveForm",
    "MyAddressForm",
    "NewSectionForm",
    "NoticeChannelForm",
    "OtherIncidentForm",
    "PartingForm",
    "PastUpdates",
    "PastedForm",
    "PlaceForm",
    "PolicyForm",
    "PromiseForm",
    "QuickEntryForm",
    "ReasonForm",
    "ReopenForm",
    "ResolveForm",
    "ReturnForm",
    "RoleForm",
    "RulesForm",
    "ScheduleForm",
    "SearchForm",
    "SectionForm",
    "SendForm",
    "SettleForm",
    "ShowForm",
    "TemplateForm",
    "TimelineFilterForm",
    "TrackerForm",
    "UpdateForm",
    "VendorCaseForm",
    "WindowForm",
    "WithdrawForm",
    "full_name",
    "impact_initial",
    "plan_of",
]
