"""Readiness as figures, in the text format of Prometheus: made from rows when it is asked for.

Times are seconds since 1970, durations seconds. What is not known has no sample: a rule that wants
to hear of that asks for ``absent``. However many databases there are, the questions are as many.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backups import queries
from backups.models import (
    Backup,
    BackupAlert,
    BackupCheck,
    BackupKind,
    CheckState,
    CopyJob,
    Database,
    Drill,
    DrillState,
    JobState,
    ReadingState,
    RecoveryTarget,
    ReplicaState,
    RestoreJob,
    Standby,
    StorageProbe,
)

_PREFIX = "highwater_"


def exposition(*, at: datetime) -> bytes:
    """Return every figure, as Prometheus reads them (text format 0.0.4)."""
    registry = CollectorRegistry()
    registry.register(_Readiness(at))
    return generate_latest(registry)


class _Readiness(Collector):
    def __init__(self, at: datetime) -> None:
        self._at = at

    def describe(self) -> Iterable[Metric]:
        # Asked once, before anything is collected: nothing has to be read for it.
        return ()

    def collect(self) -> Iterator[Metric]:
        names = _Names(Database.objects.values_list("pk", "name"))
        yield from _of_databases(names)
        yield from _of_losses(names, self._at)
        yield from _of_checks(names)
        yield from _of_drills(names)
        yield from _of_storage(names)
        yield from _of_jobs()
        yield from _of_targets()
        yield from _of_standbys(self._at)


class _Names(dict[int, str]):
    """The names of databases by their ids."""

    def __missing__(self, pk: int) -> str:
        # One that was registered since the names were read.
        return str(Database.everything.get(pk=pk))


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, words, labels=labels)


def _stamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None


def _filled(
    gauge: GaugeMetricFamily, samples: Iterable[tuple[tuple[str, ...], float | None]]
) -> GaugeMetricFamily:
    for labels, value in samples:
        if value is not None:
            gauge.add_metric(labels, value)
    return gauge


def _of_databases(names: dict[int, str]) -> Iterator[Metric]:
    rows = list(Database.objects.order_by("pk"))
    newest = dict(
        Backup.objects.filter(database__unregistered_at=None)
        .usable()
        .exclude(kind=BackupKind.INCREMENTAL)
        .order_by()
        .values_list("database_id")
        .annotate(ended_at=Max("ended_at"))
    )
    figures: Sequence[tuple[str, str, Callable[[Database], float | None]]] = (
        ("archive_read_timestamp_seconds", "When the archive was last read.",
         lambda row: _stamp(row.synced_at)),
        ("restorable_until_timestamp_seconds", "Up to when it can be restored.",
         lambda row: _stamp(row.latest_restorable_at)),
        ("restorable_since_timestamp_seconds", "From when on it can be restored.",
         lambda row: _stamp(row.earliest_restorable_at)),
        ("last_full_backup_timestamp_seconds", "When the last full backup ended.",
         lambda row: _stamp(newest.get(row.pk))),
        ("loss_objective_seconds", "How much may be lost.",
         lambda row: _seconds(row.recovery_point_objective)),
        ("recovery_objective_seconds", "How long it may take to be back.",
         lambda row: _seconds(row.recovery_time_objective)),
    )  # fmt: skip
    for name, words, value in figures:
        yield _filled(
            _gauge(name, words, "database"), (((names[row.pk],), value(row)) for row in rows)
        )


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


def _of_losses(names: dict[int, str], at: datetime) -> Iterator[Metric]:
    losses = queries.losses_now()
    made = _gauge("forecast_timestamp_seconds", "When the loss was forecast.", "database")
    yield _filled(made, (((names[pk],), _stamp(row.at)) for pk, row in losses.items()))
    loss = _gauge("forecast_loss_seconds", "Data lost if it were lost now.", "database")
    yield _filled(
        loss,
        (
            ((names[pk],), row.loss_seconds + (at - row.at).total_seconds())
            for pk, row in losses.items()
            if row.loss_seconds is not None
        ),
    )
    back = _gauge(
        "forecast_recovery_seconds", "Time until it is back if it were lost now.",
        "database", "bound",
    )  # fmt: skip
    for pk, row in losses.items():
        bounds = {
            "low": row.low_seconds,
            "middle": row.middle_seconds,
            "high": row.high_seconds,
        }
        _filled(back, (((names[pk], bound), value) for bound, value in bounds.items()))
    yield back


def _of_checks(names: dict[int, str]) -> Iterator[Metric]:
    rows = list(
        BackupCheck.objects.filter(database__unregistered_at=None).order_by("database_id", "name")
    )
    state = _gauge(
        "check_state", "1 for the state that a check found, 0 for the others.",
        "database", "check", "state",
    )  # fmt: skip
    for row in rows:
        for each in CheckState.values:
            labels = [names[row.database_id], row.name.lower(), each.lower()]
            state.add_metric(labels, float(row.state == each))
    yield state
    for name, words, value in (
        ("check_since_timestamp_seconds", "Since when it is in this state.", "since_at"),
        ("check_looked_timestamp_seconds", "When it was last looked at.", "looked_at"),
    ):
        yield _filled(
            _gauge(name, words, "database", "check"),
            (
                ((names[row.database_id], row.name.lower()), _stamp(getattr(row, value)))
                for row in rows
            ),
        )
    alerts = BackupAlert.objects.filter(closed_at=None).order_by()
    counted = dict(alerts.values_list("state").annotate(count=Count("pk")))
    yield _filled(
        _gauge("alerts_open", "Alerts that are not over.", "state"),
        (((each.lower(),), float(counted.get(each, 0))) for each in CheckState.values),
    )


def _of_drills(names: dict[int, str]) -> Iterator[Metric]:
    passed = Drill.objects.filter(database__unregistered_at=None, state=DrillState.PASSED)
    newest = list(passed.order_by("database_id", "-ended_at").distinct("database_id"))
    yield _filled(
        _gauge("drill_passed_timestamp_seconds", "When a drill last passed.", "database"),
        (((names[row.database_id],), _stamp(row.ended_at)) for row in newest),
    )
    yield _filled(
        _gauge("drill_measured_seconds", "How long that drill took.", "database"),
        (((names[row.database_id],), row.measured_seconds) for row in newest),
    )


def _of_storage(names: dict[int, str]) -> Iterator[Metric]:
    probes = list(
        StorageProbe.objects.select_related("location")
        .order_by("location_id", "kind", "-at")
        .distinct("location_id", "kind")
    )
    for name, words, value in (
        ("probe_timestamp_seconds", "When a location was last probed.",
         lambda row: _stamp(row.at)),
        ("probe_seconds", "How long that probe took.", lambda row: row.seconds),
        ("probe_failed", "1 if that probe failed.", lambda row: float(bool(row.error))),
    ):  # fmt: skip
        yield _filled(
            _gauge(name, words, "location", "kind"),
            (((str(row.location), row.kind.lower()), value(row)) for row in probes),
        )
    replicas = list(
        ReplicaState.objects.filter(database__unregistered_at=None).select_related("location")
    )
    for name, words, value in (
        ("replica_compared_timestamp_seconds", "When a replica was last compared.",
         lambda row: _stamp(row.compared_at)),
        ("replica_behind_timestamp_seconds", "Since when something is missing there.",
         lambda row: _stamp(row.behind_since_at)),
        ("replica_missing_bytes", "What is missing there.",
         lambda row: float(row.missing_bytes)),
    ):  # fmt: skip
        yield _filled(
            _gauge(name, words, "database", "location"),
            (((names[row.database_id], str(row.location)), value(row)) for row in replicas),
        )
    bad = Q(readings__state__in=[ReadingState.MISSING, ReadingState.RESIZED, ReadingState.DAMAGED])
    counted = Database.objects.order_by().annotate(bad=Count("readings", filter=bad))
    yield _filled(
        _gauge("objects_not_as_recorded", "Objects missing or damaged.", "database"),
        (((row.name,), float(row.bad)) for row in counted),
    )


def _of_jobs() -> Iterator[Metric]:
    jobs: tuple[tuple[str, type[RestoreJob | CopyJob]], ...] = (
        ("restore_jobs", RestoreJob),
        ("copy_jobs", CopyJob),
    )
    for name, model in jobs:
        counted = dict(model.objects.order_by().values_list("state").annotate(count=Count("pk")))
        yield _filled(
            _gauge(name, "Jobs by state.", "state"),
            (((state.lower(),), float(counted.get(state, 0))) for state in JobState.values),
        )


def _of_targets() -> Iterator[Metric]:
    rows = list(RecoveryTarget.objects.order_by("name"))
    for name, words, value in (
        ("target_probe_timestamp_seconds", "When a recovery target was last looked at.",
         lambda row: _stamp(row.probed_at)),
        ("target_free_bytes", "Room at a recovery target.", lambda row: row.free_bytes),
        ("target_ready", "1 if nothing holds a recovery target.",
         lambda row: None if row.probed_at is None else float(not row.occupied_by)),
    ):  # fmt: skip
        yield _filled(_gauge(name, words, "target"), (((row.name,), value(row)) for row in rows))


def _of_standbys(at: datetime) -> Iterator[Metric]:
    rows = list(Standby.objects.select_related("database", "target").order_by("target__name"))
    figures: Sequence[tuple[str, str, Callable[[Standby], float | None]]] = (
        ("standby_warm_until_timestamp_seconds", "Up to when a standby has replayed.",
         lambda row: _stamp(row.warm_until_at)),
        ("standby_seen_timestamp_seconds", "When a standby was last seen running.",
         lambda row: _stamp(row.seen_at)),
        ("standby_behind_seconds", "How long what is archived waits for a standby to replay it.",
         lambda row: queries.behind_seconds(row, at=at)),
        ("standby_trouble", "1 if something keeps a standby from following.",
         lambda row: float(bool(row.trouble))),
    )  # fmt: skip
    for name, words, value in figures:
        yield _filled(
            _gauge(name, words, "database", "target"),
            (((row.database.name, row.target.name), value(row)) for row in rows),
        )
