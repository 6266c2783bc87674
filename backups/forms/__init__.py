"""What the desk asks for before something is copied, brought back, or done otherwise."""

from backups.forms.alerting import AlertRuleForm, HeartbeatForm, SilenceForm
from backups.forms.checks import AcceptForm, CheckForm, DepthForm
from backups.forms.copying import CopyForm, SwitchForm
from backups.forms.course import CourseForm, PauseForm
from backups.forms.databases import ProofForm, TakeBackupForm, UnregisterForm
from backups.forms.drills import DrillForm
from backups.forms.locations import LocationForm
from backups.forms.options import MomentForm, ObjectivesForm, OptionForm
from backups.forms.policies import PolicyForm, ReviewForm
from backups.forms.restores import RestoreForm
from backups.forms.runbooks import SectionForm
from backups.forms.standbys import KeepWarmForm, StopKeepingForm
from backups.forms.turns import LanesForm
from backups.forms.weather import WindowForm, ZoneForm

__all__ = [
    "AcceptForm",
    "AlertRuleForm",
    "CheckForm",
    "CopyForm",
    "CourseForm",
    "DepthForm",
    "DrillForm",
    "HeartbeatForm",
    "KeepWarmForm",
    "LanesForm",
    "LocationForm",
    "MomentForm",
    "ObjectivesForm",
    "OptionForm",
    "PauseForm",
    "PolicyForm",
    "ProofForm",
    "RestoreForm",
    "ReviewForm",
    "SectionForm",
    "SilenceForm",
    "StopKeepingForm",
    "SwitchForm",
    "TakeBackupForm",
    "UnregisterForm",
    "WindowForm",
    "ZoneForm",
]
