"""What was measured before, read from the rows, as the model of estimates wants it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from backups.estimate import History, Past, Sample
from backups.models import (
    RestoreAttempt,
    RestorePhase,
    RestoreStep,
    StorageMeasurement,
    TenantRestore,
    TenantRestoreState,
)
from backups.queries.weather import windows_of

MEASURED_FOR = timedelta(days=42)
REMEMBERED_FOR = timedelta(days=365)
MOST_STEPS = 400
# What a tenant costs however little it holds, as bytes that could be restored meanwhile.
TENANT_BYTES = 20_000_000


def history_of(
    database_id: int,
    *,
    place_id: int,
    target_id: int | None,
    at: datetime,
    without_job: int | None = None,
) -> History:
    """Return the phases of earlier restores and the weather of the storage, up to this moment.

    Of fetches only those from this very place count. What ran elsewhere, or of another database on
    the same target, is marked so; without a target all of this database's ran here. ``without_job``
    is the restore that is to be told of.
    """
    steps = [step for step in _steps(database_id, target_id, at=at) if step.job_id != without_job]
    attempts = _attempts({step.job_id for step in steps})
    tenants = _tenant_bytes({step.job_id for step in steps})
    return History(
        past=[
            Past(
                phase=step.phase,
                began_at=step.began_at,
                seconds=_worked(step, attempts[step.job_id]),
                amount=amount,
                unit=unit,
                is_here=step.job.database_id == database_id
                and target_id in (None, step.job.target_id),
            )
            for step in steps
            if step.phase != RestorePhase.FETCH or place_id == _place(step)
            for amount, unit in [_amount(step, tenants)]
        ],
        samples=_samples(place_id, at=at),
        windows=windows_of([place_id], at=at, since=at - MEASURED_FOR)[place_id],
    )


def tenant_bytes(sizes: Iterable[int | None]) -> list[int]:
    """Return what tenants of these sizes cost, each with what any of them costs."""
    return [(size or 0) + TENANT_BYTES for size in sizes]


def _steps(database_id: int, target_id: int | None, *, at: datetime) -> Sequence[RestoreStep]:
    kin = Q(job__database_id=database_id)
    if target_id is not None:
        kin |= Q(job__target_id=target_id)
    rows = RestoreStep.objects.filter(
        kin, ended_at__isnull=False, ended_at__lte=at, began_at__gt=at - REMEMBERED_FOR
    )
    return list(rows.select_related("job__database").order_by("-began_at")[:MOST_STEPS])


def _attempts(jobs: set[int]) -> Mapping[int, Sequence[RestoreAttempt]]:
    found: dict[int, list[RestoreAttempt]] = defaultdict(list)
    for attempt in RestoreAttempt.objects.filter(job__in=jobs, ended_at__isnull=False):
        found[attempt.job_id].append(attempt)
    return found


def _worked(step: RestoreStep, attempts: Sequence[RestoreAttempt]) -> float:
    """Return for how many seconds somebody worked at it: a job may lie between two attempts."""
    assert step.ended_at is not None
    seconds = 0.0
    for attempt in attempts:
        begin, end = max(step.began_at, attempt.began_at), min(step.ended_at, _end(attempt))
        seconds += max((end - begin).total_seconds(), 0.0)
    return seconds or (step.ended_at - step.began_at).total_seconds()


def _end(attempt: RestoreAttempt) -> datetime:
    assert attempt.ended_at is not None
    return attempt.ended_at


def _place(step: RestoreStep) -> int:
    return step.job.source_id or step.job.database.storage_id


def _amount(step: RestoreStep, tenants: Mapping[int, int]) -> tuple[float, str]:
    if step.phase == RestorePhase.TENANTS:
        return tenants.get(step.job_id, 0), "bytes"
    # A phase that counts nothing is a whole.
    return (step.done, step.unit) if step.unit else (1, "")


def _tenant_bytes(jobs: set[int]) -> Mapping[int, int]:
    found: dict[int, int] = defaultdict(int)
    back = TenantRestore.objects.filter(job__in=jobs, state=TenantRestoreState.VERIFIED)
    for job_id, size in back.values_list("job_id", "size_bytes"):
        found[job_id] += sum(tenant_bytes([size]))
    return found


def _samples(place_id: int, *, at: datetime) -> list[Sample]:
    rows = StorageMeasurement.objects.filter(
        location_id=place_id, measured_at__gt=at - MEASURED_FOR, measured_at__lte=at
    )
    return [
        Sample(at=measured_at, rate=arrived / seconds)
        for measured_at, arrived, seconds in rows.order_by("measured_at").values_list(
            "measured_at", "bytes", "seconds"
        )
    ]
