"""Saying how far each tenant is where they come back one by one, from their own rows.

What changed since the last look is told, and those whose turn is near; all of them only when the
queue has become a tenth shorter or the whole's estimate has moved. So ten thousand of them cost a
few full readings, however long it takes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import Sum

from backups import estimate
from backups.models import JobState, RestoreJob, Tenant, TenantRestore, TenantRestoreState
from backups.models.tenants import TenantRestoreQuerySet
from backups.runner.verification import is_absent, is_whole
from incidents.calm import outward
from incidents.operations.tenants import TenantNews
from incidents.values import TenantState

# Those whose turn comes next are told at once how many come before them.
_NEAR = 10
# All are told again when so much of the queue is left of what was there the last time.
_SHORTER = 0.9
# What was written down while the last telling was under way is told once more.
_OVERLAP = timedelta(seconds=10)


class Turns:
    """What was told last of a job's tenants, and what is worth telling now."""

    def __init__(self, job: RestoreJob) -> None:
        self._job = job
        self._told_at: datetime | None = None
        self._queue = 0

    def news(
        self, *, at: datetime, left: estimate.Remaining | None, everything: bool
    ) -> list[TenantNews]:
        """Return what to tell; ``left`` is what all take that are not back yet."""
        rows = rows_of(self._job)
        waiting = rows.waiting()
        queue = waiting.count()
        if everything or self._told_at is None or queue <= self._queue * _SHORTER:
            found: Iterable[TenantRestore] = rows
            self._queue = queue
        else:
            found = [*rows.moved_since(self._told_at - _OVERLAP), *waiting[:_NEAR]]
        self._told_at = at
        return list(_told(self._job, found, at=at, left=left))


def rows_of(job: RestoreJob) -> TenantRestoreQuerySet:
    return TenantRestore.objects.filter(job=job).in_order().select_related("tenant")


def turns_at_rest(job: RestoreJob, *, goes_on: bool) -> list[TenantNews]:
    """Return how far every tenant is while nobody works: a place only if the job ``goes_on``."""
    told = _told(job, rows_of(job), at=job.requested_at, left=None, at_work=False, goes_on=goes_on)
    return [each if goes_on else replace(each, place=None) for each in told]


class Before:
    """What tenants are whose turn has not come, by what was found in the part that is open."""

    def __init__(self, job: RestoreJob) -> None:
        self._first = _open_first_part(job)

    def of(self, tenant: Tenant, *, goes_on: bool) -> tuple[TenantState, datetime | None]:
        """Return its state, and up to when it has its data by then.

        Where nothing ``goes_on`` to follow, only what was found whole is called open.
        """
        first = self._first
        found = first.evidence.get(tenant.public_code, {}) if first is not None else {}
        if first is None or not found or is_absent(found) or found.get("missing"):
            return TenantState.WAITING, None
        is_checked = is_whole(found) and first.accepted_at is None
        state = TenantState.REOPENED if goes_on or is_checked else TenantState.RESTORED
        return state, first.data_until_at

    def kept(self, tenant: Tenant) -> tuple[TenantState, datetime | None]:
        """Return what one is that was left as people have it, and what it surely has."""
        state, until = self.of(tenant, goes_on=False)
        return TenantState.BACK if state == TenantState.REOPENED else state, until


def _open_first_part(job: RestoreJob) -> RestoreJob | None:
    first = job.brings_forward
    if first is not None and first.state != JobState.SUCCEEDED:
        # It may be open since we read it.
        first = job.brings_forward = RestoreJob.objects.get(pk=first.pk)
    return first if first is not None and first.state == JobState.SUCCEEDED else None


def _told(
    job: RestoreJob,
    rows: Iterable[TenantRestore],
    *,
    at: datetime,
    left: estimate.Remaining | None,
    at_work: bool = True,
    goes_on: bool = True,
) -> Iterator[TenantNews]:
    share = _Shares(job, left) if left is not None else None
    first = Before(job)
    place = 0
    for row in rows:
        key = row.tenant.key
        before, reopened = first.of(row.tenant, goes_on=goes_on)
        state = TenantRestoreState(row.state)
        if state in (TenantRestoreState.WAITING, TenantRestoreState.RESTORING):
            news = TenantNews(key=key, state=TenantState.OWN_TURN, data_until_at=reopened)
            # Where nobody is at work, a turn that was begun has to begin again.
            if state == TenantRestoreState.WAITING or not at_work:
                place += 1
                news = replace(news, state=before, place=place)
            yield share.with_eta(news, row, at=at) if share is not None else news
        elif state == TenantRestoreState.VERIFIED:
            yield TenantNews(key=key, state=_back(row), data_until_at=row.data_until_at)
        elif state == TenantRestoreState.KEPT and "absent" in row.evidence:
            yield TenantNews(key=key, state=TenantState.ABSENT, data_until_at=job.data_until_at)
        elif state == TenantRestoreState.KEPT and reopened is not None:
            kept, until = first.kept(row.tenant)
            yield TenantNews(key=key, state=kept, data_until_at=until)
        else:
            # Failed, or for somebody to decide: no place and no time is known.
            yield TenantNews(key=key, state=before, data_until_at=reopened)


def _back(row: TenantRestore) -> TenantState:
    # Without a place: it was looked at, and not all of it could be counted.
    return TenantState.RESTORED if row.evidence.get("uncounted") else TenantState.BACK


class _Shares:
    """Which part of what is left is a tenant's own, by the bytes of those before it."""

    def __init__(self, job: RestoreJob, left: estimate.Remaining) -> None:
        self._left = left
        to_do = TenantRestore.objects.filter(job=job).to_do()
        self._bytes = to_do.aggregate(bytes=Sum("size_bytes"))["bytes"] or 1
        self._before = 0

    def with_eta(self, news: TenantNews, row: TenantRestore, *, at: datetime) -> TenantNews:
        """Return the news with when its turn is over. Asked in the order of the turns."""
        size = (row.size_bytes or 0) - row.done
        soonest = self._before / self._bytes
        # Others are carried meanwhile: its own part takes as long as theirs beside it.
        latest = (self._before + 2 * size) / self._bytes
        self._before += size
        low, high = outward(
            at + timedelta(seconds=self._left.low_seconds * min(soonest, 1.0)),
            at + timedelta(seconds=self._left.high_seconds * min(latest, 1.0)),
        )
        return replace(news, eta_low_at=low, eta_high_at=high, eta_basis=self._left.basis)
