"""What the desk asks for before something is copied or brought back."""

from datetime import datetime, timedelta
from typing import Any, Self

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backups.models import Database, RecoveryTarget
from incidents import queries
from incidents.forms.fields import DeskForm, LocalTimeField

LATEST, MOMENT = "latest", "moment"


class TakeBackupForm(DeskForm):
    """A name for a backup."""

    ids = "take"

    label = forms.SlugField(
        label=_("Name"),
        required=False,
        max_length=60,
        help_text=_("Letters, digits and dashes. Empty: the day and time."),
    )


class ProofForm(DeskForm):
    """What customers read of a database's backups, and from which age on it is too old."""

    ids = "proof"

    public_name = forms.CharField(
        label=_("What customers call it"),
        required=False,
        max_length=140,
        help_text=_("Empty: the status page says nothing of its backups."),
    )
    backup_hours = forms.IntegerField(
        label=_("A backup is too old after, in hours"),
        required=False,
        min_value=1,
        max_value=24 * 366,
        help_text=_("Empty: what may be lost at most, or else 26 hours."),
    )
    proof_days = forms.IntegerField(
        label=_("A proven restore is too old after, in days"),
        required=False,
        min_value=1,
        max_value=366,
        help_text=_("Empty: 35 days."),
    )

    @classmethod
    def of(cls, database: Database) -> Self:
        """Return the form as the database has it."""
        backup, proof = database.backup_stale_after, database.proof_stale_after
        return cls(
            initial={
                "public_name": database.public_name,
                "backup_hours": backup and round(backup / timedelta(hours=1)),
                "proof_days": proof and round(proof / timedelta(days=1)),
            }
        )

    @property
    def backup_stale_after(self) -> timedelta | None:
        hours: int | None = self.cleaned_data["backup_hours"]
        return timedelta(hours=hours) if hours else None

    @property
    def proof_stale_after(self) -> timedelta | None:
        days: int | None = self.cleaned_data["proof_days"]
        return timedelta(days=days) if days else None


class RestoreForm(DeskForm):
    """What shall come back, to which moment, and where."""

    ids = "restore"

    database = forms.ModelChoiceField(
        label=_("Database"), queryset=Database.objects.order_by("name"), empty_label=None
    )
    until = forms.ChoiceField(
        label=_("Up to"),
        choices=[
            (LATEST, _("The latest that is archived")),
            (MOMENT, _("A moment of your choice, below")),
        ],
        initial=LATEST,
        widget=forms.RadioSelect,
    )
    target_at = LocalTimeField(
        label=_("Moment, in UTC"),
        required=False,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"
        ),
        help_text=_("Everything up to it comes back; what was written later does not."),
    )
    target = forms.ModelChoiceField(
        label=_("Where to"),
        queryset=RecoveryTarget.objects.order_by("name"),
        empty_label=None,
        help_text=_("The database that runs now is left alone."),
    )
    incident = forms.ModelChoiceField(
        label=_("Incident that it belongs to"),
        queryset=queries.open_incidents(),
        required=False,
        empty_label=_("None: customers are not told"),
        help_text=_("Its timeline and the status page then follow the restore by themselves."),
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        chosen, at = self.cleaned_data.get("until"), self.cleaned_data.get("target_at")
        if chosen == MOMENT and at is None and "target_at" not in self.errors:
            self.add_error("target_at", gettext("Say up to which moment."))
        elif chosen == MOMENT and at is not None and at > self.now:
            self.add_error("target_at", gettext("This moment is still to come."))
        return cleaned

    @property
    def moment(self) -> datetime | None:
        """The moment that was chosen; None for the latest. Valid forms only."""
        at: datetime | None = self.cleaned_data["target_at"]
        return at if self.cleaned_data["until"] == MOMENT else None
