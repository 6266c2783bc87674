"""What the desk asks for before the course of a restore is changed."""

from datetime import datetime
from typing import Any, Self

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backups.models import (
    Backup,
    RecoveryTarget,
    RestoreJob,
    RestorePoint,
    RestoreStrategy,
    StorageLocation,
)
from backups.operations import MOST_REASONS, Course
from incidents.forms.fields import DeskForm, LocalTimeField


class ReasonsField(forms.CharField):
    """Why something is decided so, for the incident's timeline."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Why"),
            required=False,
            max_length=MOST_REASONS,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("Goes on the incident's timeline, where customers do not see it."),
        )


class PauseForm(DeskForm):
    """From when until when a restore rests."""

    ids = "pause"

    begins_at = LocalTimeField(
        label=_("From, in UTC"),
        required=False,
        help_text=_("Empty: now. A later time plans the pause; the estimate counts it in."),
    )
    ends_at = LocalTimeField(
        label=_("Until, in UTC"),
        required=False,
        help_text=_("It then goes on by itself. Empty: until somebody resumes it."),
    )
    reasons = ReasonsField()


class CourseForm(DeskForm):
    """The plan that a restore shall follow from now on."""

    ids = "course"

    point = forms.ChoiceField(
        label=_("Up to"), choices=RestorePoint.choices, widget=forms.RadioSelect
    )
    target_at = LocalTimeField(
        label=_("Moment, in UTC"),
        required=False,
        seconds=True,
        help_text=_("Only for a moment: everything up to it comes back."),
    )
    backup = forms.ModelChoiceField(
        label=_("Backup"),
        queryset=Backup.objects.none(),
        required=False,
        help_text=_("Only for the end of one backup: what was written later does not come back."),
    )
    source = forms.ModelChoiceField(
        label=_("Read first from"),
        queryset=StorageLocation.objects.none(),
        required=False,
        empty_label=_("The database's own storage"),
    )
    strategy = forms.ChoiceField(label=_("How"), choices=RestoreStrategy.choices)
    target = forms.ModelChoiceField(
        label=_("Where to"),
        queryset=RecoveryTarget.objects.order_by("name"),
        empty_label=None,
        help_text=_("On another machine, what was fetched here is fetched again."),
    )
    reasons = ReasonsField()

    def __init__(self, *args: Any, job: RestoreJob, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.job, self.now = job, now
        point = self.fields["point"]
        assert isinstance(point, forms.ChoiceField)
        # Only what brings a standby up can do without the archive.
        point.choices = [
            (value, label)
            for value, label in RestorePoint.choices
            if value != RestorePoint.HERE or job.continues_id is not None
        ]
        self._field("backup").queryset = job.database.backups.usable().newest_first()
        self._field("source").queryset = job.database.copies.order_by("name")

    @classmethod
    def of(cls, job: RestoreJob, *, now: datetime) -> Self:
        """Return the form as the restore has it now."""
        course = Course.of(job)
        return cls(
            initial={
                "point": course.point,
                "target_at": course.target_at,
                "backup": course.backup_id,
                "source": course.source_id,
                "strategy": course.strategy,
                "target": course.recovery_target_id,
            },
            job=job,
            now=now,
        )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        point, at = self.cleaned_data.get("point"), self.cleaned_data.get("target_at")
        if point == RestorePoint.MOMENT and "target_at" not in self.errors:
            if at is None:
                self.add_error("target_at", gettext("Say up to which moment."))
            elif at > self.now:
                self.add_error("target_at", gettext("This moment is still to come."))
        if point == RestorePoint.BACKUP and self.cleaned_data.get("backup") is None:
            self.add_error("backup", gettext("Choose the backup."))
        return cleaned

    @property
    def course(self) -> Course:
        """The course that was chosen. Valid forms only."""
        said = self.cleaned_data
        point = RestorePoint(said["point"])
        target_at, known = said["target_at"], self.job.target_at
        if known is not None and target_at == known.replace(microsecond=0):
            # The field shows whole seconds; left as it was, it means the moment as it was.
            target_at = known
        return Course(
            point=point,
            target_at=target_at if point == RestorePoint.MOMENT else None,
            backup_id=said["backup"].pk if point == RestorePoint.BACKUP else None,
            strategy=RestoreStrategy(said["strategy"]),
            source_id=said["source"].pk if said["source"] else None,
            recovery_target_id=said["target"].pk,
            lanes=self.job.lanes,
        )

    def _field(self, name: str) -> Any:
        return self.fields[name]
