"""What was looked at in what came back, and what was found."""

from typing import Self

from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Tenant
from backups.models.restores import RestoreJob
from incidents.models.fields import is_known


class CheckName(TextChoices):
    """What is looked at, in the order in which it is."""

    MANIFEST = "MANIFEST", _("Files are those of the backup")
    TARGET = "TARGET", _("Replayed up to the target")
    ROWS = "ROWS", _("Rows counted")
    STRUCTURE = "STRUCTURE", _("Tables and indexes are sound")
    OWN = "OWN", _("Own check")
    FITNESS = "FITNESS", _("Fit for this machine")
    PAGES = "PAGES", _("Page checksums")


class FindingState(TextChoices):
    OK = "OK", _("Ok")
    # Does not keep the cluster from being opened; somebody should know.
    WARNING = "WARNING", _("Note")
    NOT_POSSIBLE = "NOT_POSSIBLE", _("Could not look")
    FAILED = "FAILED", _("Failed")


class RestoreFindingQuerySet(models.QuerySet["RestoreFinding"]):
    def failed(self) -> Self:
        return self.filter(state=FindingState.FAILED)

    def worst_first(self) -> Self:
        worst = models.Case(
            models.When(state=FindingState.FAILED, then=0),
            models.When(state=FindingState.WARNING, then=1),
            models.When(state=FindingState.NOT_POSSIBLE, then=2),
            default=3,
        )
        return self.order_by(worst, "id")


class RestoreFinding(models.Model):
    """What one check came to in the last look at a restore."""

    job = models.ForeignKey(RestoreJob, on_delete=models.CASCADE, related_name="findings")
    check_name = models.CharField(max_length=9, choices=CheckName)
    # Staff's name of a check of their own.
    title = models.CharField(max_length=80, blank=True)
    # The database that it is about, if it is about one.
    subject = models.CharField(max_length=63, blank=True)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.SET_NULL, null=True, blank=True, related_name="findings"
    )
    state = models.CharField(max_length=12, choices=FindingState)
    # What a check of staff's own answered.
    value = models.CharField(max_length=200, blank=True)
    seconds = models.FloatField(default=0.0)
    figures = models.JSONField(default=dict, blank=True)
    # The tool's own words, without secrets, or why it could not look; for operators only.
    words = models.TextField(blank=True)
    found_at = models.DateTimeField()

    objects = RestoreFindingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["job", "state"], name="findings_by_state")]
        constraints = [
            is_known("restorefinding", "check_name", CheckName),
            is_known("restorefinding", "state", FindingState),
            models.CheckConstraint(
                name="restorefinding_says_why_it_is_not_ok",
                condition=Q(state=FindingState.OK) | ~Q(words=""),
            ),
        ]

    def __str__(self) -> str:
        return " ".join(word for word in (self.label, self.subject) if word)

    @property
    def label(self) -> str:
        """What was looked at, as staff call it."""
        return self.title or str(CheckName(self.check_name).label)

    @property
    def shown_figures(self) -> list[tuple[str, str]]:
        """What was counted, for people."""
        return [
            (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
            for name, value in self.figures.items()
        ]
