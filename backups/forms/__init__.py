"""What the desk asks for before something is copied, brought back, or done otherwise."""

from backups.forms.checks import AcceptForm, CheckForm, DepthForm
from backups.forms.course import CourseForm, PauseForm
from backups.forms.databases import ProofForm, TakeBackupForm
from backups.forms.options import MomentForm, ObjectivesForm, OptionForm
from backups.forms.restores import RestoreForm
from backups.forms.turns import LanesForm

__all__ = [
    "AcceptForm",
    "CheckForm",
    "CourseForm",
    "DepthForm",
    "LanesForm",
    "MomentForm",
    "ObjectivesForm",
    "OptionForm",
    "PauseForm",
    "ProofForm",
    "RestoreForm",
    "TakeBackupForm",
]
