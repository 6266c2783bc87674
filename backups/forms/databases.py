"""What the desk asks for before a backup is taken, and what customers read of backups."""

from datetime import timedelta
from typing import Self

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import Database
from incidents.forms.fields import DeskForm


class TakeBackupForm(DeskForm):
    """A name for a backup."""

    ids = "take"

    label = forms.SlugField(
        label=_("Name"),
        required=False,
        max_length=60,
        help_text=_("Letters, digits and dashes. Empty: the day and time."),
    )


class UnregisterForm(DeskForm):
    """The name of what is let go of, typed."""

    ids = "unregister"

    typed = forms.CharField(
        label=_("Its name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
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
