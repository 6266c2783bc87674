"""Every database on one line: whether it would come back, and what speaks against it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet

from backups.models import (
    Backup,
    BackupCheck,
    BackupKind,
    CheckState,
    Database,
    Drill,
    DrillState,
    JobState,
    LossForecast,
    RestoreJob,
)
from backups.options import Range
from backups.options.words import duration, told_range
from backups.queries.drills import drills
from backups.queries.loss import losses_now

# Checks look every two minutes, and forecasts are made every five: what is older is not known.
LOOK_HOLDS = timedelta(minutes=30)
FORECAST_HOLDS = timedelta(hours=1)
_GRAVITY = (CheckState.OK, CheckState.WARNING, CheckState.UNKNOWN, CheckState.CRITICAL)


@dataclass(slots=True, kw_only=True)
class Line:
    """What a dashboard says of one database."""

    database: Database
    at: datetime
    full_at: datetime | None = None
    loss: LossForecast | None = None
    drill: Drill | None = None
    findings: list[BackupCheck] = field(default_factory=list)
    looked_at: datetime | None = None
    # The restore that brings it back right now, if there is one.
    restore: RestoreJob | None = None

    @property
    def state(self) -> CheckState:
        """The worst of what its checks found; no better than unknown if none has looked of late."""
        found = [CheckState(each.state) for each in self.findings]
        if self.is_unseen:
            found.append(CheckState.UNKNOWN)
        return max(found, key=_GRAVITY.index, default=CheckState.OK)

    @property
    def is_unseen(self) -> bool:
        """Whether no check has looked of late: what is said of it may not be so any more."""
        return self.looked_at is None or self.at - self.looked_at > LOOK_HOLDS

    @property
    def lost_words(self) -> str:
        """How much data a loss would cost now; empty if that is not known."""
        if self.loss is None or self.loss.loss_seconds is None:
            return ""
        return duration(timedelta(seconds=self.loss.loss_seconds))

    @property
    def back_words(self) -> str:
        """How long it would take until it is back; empty if that is not known."""
        return back_words(self.loss)

    @property
    def is_beyond(self) -> bool:
        """Whether a loss now would go beyond what was decided, as far as is known."""
        return self.loss is not None and is_beyond(self.loss)


def back_words(loss: LossForecast | None) -> str:
    """Return how long it would take, by the forecast's range; empty if that is not known."""
    if loss is None or loss.low_seconds is None:
        return ""
    assert loss.middle_seconds is not None
    assert loss.high_seconds is not None
    return told_range(Range(loss.low_seconds, loss.middle_seconds, loss.high_seconds))


def is_beyond(loss: LossForecast) -> bool:
    """Whether it misses an objective: the data lost, or the middle of the time to be back."""
    pairs = (
        (loss.loss_seconds, loss.point_objective_seconds),
        (loss.middle_seconds, loss.time_objective_seconds),
    )
    return any(
        figure is not None and objective is not None and figure > objective
        for figure, objective in pairs
    )


def restores_at_work() -> "QuerySet[RestoreJob]":
    """Return the restores that bring a database back right now, the newest last; no drills."""
    at_work = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
    rows = RestoreJob.objects.filter(
        is_scratch=False, is_base=False, brings_forward=None, state__in=at_work
    )
    return rows.order_by("requested_at", "pk")


def readiness(*, at: datetime) -> Sequence[Line]:
    """Return every database, those in the worst state first; the questions are always six.

    A forecast that is too old to say what a loss would cost now is left out.
    """
    databases = Database.objects.select_related("storage").order_by("name")
    lines = {row.pk: Line(database=row, at=at) for row in databases}
    # What was registered since the first question is on the next look.
    known = Q(database__in=list(lines))
    fulls = Backup.objects.filter(known).usable().exclude(kind=BackupKind.INCREMENTAL).order_by()
    for pk, ended_at in fulls.values_list("database_id").annotate(Max("ended_at")):
        lines[pk].full_at = ended_at
    for pk, loss in losses_now().items():
        if pk in lines and at - loss.at <= FORECAST_HOLDS:
            lines[pk].loss = loss
    for job in restores_at_work().filter(known):
        lines[job.database_id].restore = job
    newest = drills().filter(known, ended_at__isnull=False).exclude(state=DrillState.CANCELLED)
    for drill in newest.order_by("database_id", "-ended_at").distinct("database_id"):
        lines[drill.database_id].drill = drill
    found: dict[int, list[BackupCheck]] = defaultdict(list)
    for check in BackupCheck.objects.filter(known).gravest_first():
        line = lines[check.database_id]
        line.looked_at = max(filter(None, (line.looked_at, check.looked_at)))
        if check.state != CheckState.OK:
            found[check.database_id].append(check)
    for pk, checks in found.items():
        lines[pk].findings = checks
    return sorted(lines.values(), key=lambda line: -_GRAVITY.index(line.state))
