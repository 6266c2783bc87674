"""What customers may know of a job that is bringing their data back."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat

from incidents.models.fields import is_known
from incidents.models.incident import Incident
from incidents.models.timeline import TimelineEntry
from incidents.values import ProgressPhase, ProgressState, Source

# A job in such a state has nothing more to say.
OVER = [ProgressState.SUCCEEDED, ProgressState.CANCELLED]
# One that failed is neither over nor at work: somebody may let it go on.
AT_WORK = [
    ProgressState.RUNNING,
    ProgressState.WAITING,
    ProgressState.HELD,
    ProgressState.PAUSED,
]

# How the keys of the events go on that bring a job to rest, behind the job's own key.
_PAUSED, _DECIDING = ":restore_paused:", ":restore_deciding:"
# Of a job in such a state something is heard all the time, unless it is dead.
_HEARD_OF = [ProgressState.RUNNING, ProgressState.WAITING, ProgressState.HELD]


class ProgressReportQuerySet(models.QuerySet["ProgressReport"]):
    def unfinished(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def at_work(self) -> Self:
        return self.filter(state__in=AT_WORK)

    def with_halts(self) -> Self:
        """Add the event that brought each to rest last, and its time: ``halt``, ``halted_at``.

        Both are None where nothing did; see ``waits_for_decision`` and ``rests_since``.
        """
        key = OuterRef("key")
        halts = TimelineEntry.objects.filter(
            Q(external_id__startswith=Concat(key, Value(_PAUSED)))
            | Q(external_id__startswith=Concat(key, Value(_DECIDING))),
            incident=OuterRef("incident"),
            source=Source.JOB,
        ).order_by("-at", "-pk")
        return self.annotate(
            halt=Subquery(halts.values("external_id")[:1]),
            halted_at=Subquery(halts.values("at")[:1]),
        )

    def in_want(self) -> Self:
        """Return what failed and was not brought back by a later job either."""
        later = self.model.objects.filter(
            incident=OuterRef("incident"),
            subject=OuterRef("subject"),
            pk__gt=OuterRef("pk"),
            state=ProgressState.SUCCEEDED,
        )
        return self.filter(~Exists(later), state=ProgressState.FAILED)


class ProgressReport(models.Model):
    """How far one job is: one row, edited in place by the job itself."""

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="progress_reports"
    )
    # The job's own key, "restore-41". Customers see the title.
    key = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=140)
    # What is brought back, as the source calls it: "database:3". Never shown to customers.
    subject = models.CharField(max_length=140, blank=True)
    state = models.CharField(max_length=12, choices=ProgressState, default=ProgressState.RUNNING)
    phase = models.CharField(max_length=12, choices=ProgressPhase, default=ProgressPhase.PREPARING)
    # Of the phase under way, in ``unit``: "bytes", "items" or "" when nothing is counted.
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=12, blank=True)
    rate = models.FloatField(null=True, blank=True)
    eta_low_at = models.DateTimeField(null=True, blank=True)
    eta_high_at = models.DateTimeField(null=True, blank=True)
    # Tenants come back one by one, and that is a part of the work.
    is_one_by_one = models.BooleanField(default=False)
    # A measure and its figure, "last:60"; `wording.basis_words` says it.
    eta_basis = models.CharField(max_length=300, blank=True)
    # Everything up to this moment is, or will be, back.
    data_until_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ProgressReportQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("progressreport", "state", ProgressState),
            is_known("progressreport", "phase", ProgressPhase),
            models.CheckConstraint(
                name="progressreport_done_is_within_total",
                condition=Q(done__gte=0) & (Q(total__isnull=True) | Q(total__gte=F("done"))),
            ),
            models.CheckConstraint(
                name="progressreport_eta_is_a_range",
                condition=Q(eta_low_at__isnull=True, eta_high_at__isnull=True)
                | Q(eta_high_at__gte=F("eta_low_at")),
            ),
            models.CheckConstraint(
                name="progressreport_ended_iff_over",
                condition=Q(state__in=OVER, ended_at__isnull=False)
                | (~Q(state__in=OVER) & Q(ended_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def percent(self) -> int | None:
        """The share that is done, rounded down; None while the total is not known."""
        return self.done * 100 // self.total if self.total else None

    @property
    def waits_for_decision(self) -> bool:
        """Whether it rests until people decide about what is left; ask rows ``with_halts``."""
        halt: str | None = self.halt  # type: ignore[attr-defined]
        return self.state == ProgressState.PAUSED and halt is not None and _DECIDING in halt

    @property
    def rests_since(self) -> datetime | None:
        """Since when it rests, as far as that is known; ask rows ``with_halts``."""
        halted_at: datetime | None = self.halted_at  # type: ignore[attr-defined]
        return halted_at if self.state == ProgressState.PAUSED else None

    def is_silent(self, *, at: datetime) -> bool:
        """Tell whether it should have been heard of by now."""
        silence = timedelta(seconds=settings.STALE_AFTER_SECONDS)
        return self.state in _HEARD_OF and at - self.heartbeat_at > silence
