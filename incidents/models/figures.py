"""The figures of each incident, kept in a narrow row, so that very many are counted quickly."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from incidents.models.fields import Worded, is_known
from incidents.models.incident import Incident
from incidents.values import IncidentKind, Severity


class Measure(models.TextChoices):
    """What is measured of an incident, each from its start; the longest silence is within it."""

    DETECT = "detect", _("To detect")
    ACKNOWLEDGE = "acknowledge", _("To acknowledge")
    FIRST_UPDATE = "first_update", _("To the first update")
    MITIGATE = "mitigate", _("To mitigate")
    RECOVER = "recover", _("To recover")
    RESOLVE = "resolve", _("To resolve")
    LONGEST_SILENCE = "longest_silence", _("Longest silence")


def _least_and_most() -> models.BigIntegerField[int | None, int | None]:
    return models.BigIntegerField(null=True)


class IncidentFigures(Worded):
    """What an incident's times and promises come to: a reading of the record, nothing of its own.

    Of each measure the seconds that it was at least and at most: the same where it is exact, both
    empty where it is not known. Severity, kind and beginning are the incident's.
    """

    incident = models.OneToOneField(
        Incident, primary_key=True, on_delete=models.CASCADE, related_name="figures"
    )
    began_at = models.DateTimeField()
    severity = models.CharField(max_length=8, choices=Severity)
    kind = models.CharField(max_length=12, choices=IncidentKind)
    is_duplicate = models.BooleanField()
    is_false_alarm = models.BooleanField()
    detect_low = _least_and_most()
    detect_high = _least_and_most()
    acknowledge_low = _least_and_most()
    acknowledge_high = _least_and_most()
    first_update_low = _least_and_most()
    first_update_high = _least_and_most()
    mitigate_low = _least_and_most()
    mitigate_high = _least_and_most()
    recover_low = _least_and_most()
    recover_high = _least_and_most()
    resolve_low = _least_and_most()
    resolve_high = _least_and_most()
    longest_silence_low = _least_and_most()
    longest_silence_high = _least_and_most()
    promises_kept = models.PositiveIntegerField()
    promises_settled = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "figures of incidents"
        constraints = [
            is_known("incidentfigures", "severity", Severity),
            is_known("incidentfigures", "kind", IncidentKind),
            models.CheckConstraint(
                name="incidentfigures_promises_kept_are_settled",
                condition=Q(promises_kept__lte=F("promises_settled")),
            ),
            *(
                models.CheckConstraint(
                    name=f"incidentfigures_{measure}_is_a_range",
                    condition=Q(**{f"{measure}_low": None, f"{measure}_high": None})
                    | Q(**{f"{measure}_low__gte": 0, f"{measure}_high__gte": F(f"{measure}_low")}),
                )
                for measure in Measure.values
            ),
        ]
        indexes = [models.Index(name="incidentfigures_newest", fields=["-began_at", "-incident"])]

    def __str__(self) -> str:
        return f"INC-{self.pk}"
