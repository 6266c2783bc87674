"""Saying how far each tenant of a restore is, in the order in which they come back.

While the cluster comes back, so do all of them. Then they are looked at one by one: those of which
every table was counted are verified, those not looked at yet have their place and their own
estimate. What counts is the evidence, never the order.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError, connection

from backups import estimate
from backups.models import JobState, RestoreJob, RestorePhase, Tenant
from backups.runner.turns import Before, Turns, turns_at_rest
from backups.runner.verification import Evidence, is_absent, is_whole
from incidents.calm import outward
from incidents.operations.tenants import TenantNews, has_moved, report_tenants
from incidents.values import TenantState

logger = logging.getLogger(__name__)

# Telling may take this share of the time at most: it must not cost the restore.
_REST_FOR_EACH_SECOND_OF_TELLING = 20


class Tenants:
    """The tenants of one restore, and what was last said of them."""

    def __init__(self, job: RestoreJob) -> None:
        self._job = job
        self._all: list[Tenant] | None = None
        self._said: tuple[object, ...] = ()
        self._estimate = TenantNews(key="", state=TenantState.RESTORING)
        self._rest_until = float("-inf")
        self._turns = Turns(job)

    def tell(
        self, *, at: datetime, until: datetime | None, left: estimate.Remaining | None
    ) -> None:
        """Say where the job's row has them now; ``left`` is what their check still takes.

        Says nothing that it said already, and rests after each time. Failing is no harm: the
        restore goes on.
        """
        job = self._job
        if job.incident_id is None:
            return
        is_one_by_one = job.phase == RestorePhase.TENANTS
        says = (job.phase, until, job.done if is_one_by_one else len(job.evidence))
        whole = self._restoring("", until)
        has_new_estimate = has_moved(self._estimate, whole, at=at)
        # Where they come back one by one, each has its own begin and end.
        is_news = is_one_by_one or has_new_estimate or says != self._said
        if not is_news or time.monotonic() < self._rest_until:
            return
        began = time.monotonic()
        if is_one_by_one:
            news = self._turns.news(at=at, left=left, everything=has_new_estimate)
        else:
            news = self._news(at=at, until=until, left=left)
        if _push(job, news, at=at):
            self._said, self._estimate = says, whole
        took = time.monotonic() - began
        self._rest_until = time.monotonic() + took * _REST_FOR_EACH_SECOND_OF_TELLING

    def _news(
        self, *, at: datetime, until: datetime | None, left: estimate.Remaining | None
    ) -> list[TenantNews]:
        if self._all is None:
            self._all = in_order(self._job)
        phase = RestorePhase(self._job.phase)
        if self._job.brings_forward_id is not None:
            return _in_line(self._job, self._all, until=until)
        if phase in (RestorePhase.VERIFY, RestorePhase.READY):
            seen = self._job.evidence
            coming = [tenant for tenant in self._all if tenant.public_code not in seen]
            return _looked_at(self._job, self._all, until) + _in_turn(
                coming, at=at, until=until, left=left
            )
        return [self._restoring(tenant.key, until) for tenant in self._all]

    def _restoring(self, key: str, until: datetime | None) -> TenantNews:
        return TenantNews(
            key=key,
            state=TenantState.RESTORING,
            data_until_at=until,
            eta_low_at=self._job.eta_low_at,
            eta_high_at=self._job.eta_high_at,
            eta_basis=self._job.eta_basis,
        )


def in_order(job: RestoreJob) -> list[Tenant]:
    """Return the tenants of a restore in the order in which they are looked at."""
    return list(Tenant.objects.filter(database_id=job.database_id).order_by("priority", "id"))


def tell_waiting(job: RestoreJob, *, until: datetime | None, at: datetime) -> None:
    """Say of every tenant that it waits, and at which place."""
    if job.tenant_restores.exists():
        _push(job, turns_at_rest(job, goes_on=True), at=at)
    else:
        _push(job, _in_line(job, in_order(job), until=until), at=at)


def tell_end(job: RestoreJob, *, at: datetime) -> None:
    """Say what a job that is over, or has stopped, leaves: verified data, or no claim at all."""
    tenants = in_order(job)
    first = Before(job)
    told = {}
    for each in tenants:
        state, reopened = first.of(each, goes_on=False)
        told[each.key] = TenantNews(key=each.key, state=state, data_until_at=reopened)
    if job.tenant_restores.exists():
        told |= {news.key: news for news in turns_at_rest(job, goes_on=False)}
    elif job.state == JobState.SUCCEEDED:
        told |= {news.key: news for news in _looked_at(job, tenants, job.data_until_at)}
    _push(job, list(told.values()), at=at)


def _in_line(
    job: RestoreJob, tenants: Sequence[Tenant], *, until: datetime | None
) -> list[TenantNews]:
    """Return that everybody's turn is to come; behind a first part, each has that part's data."""
    first = Before(job)
    news = []
    for place, tenant in enumerate(tenants, start=1):
        state, reopened = first.of(tenant, goes_on=True)
        news.append(
            TenantNews(key=tenant.key, state=state, place=place, data_until_at=reopened or until)
        )
    return news


def _looked_at(
    job: RestoreJob, tenants: Sequence[Tenant], until: datetime | None
) -> list[TenantNews]:
    """Return what is told of those that have evidence, and of nobody else."""
    evidence = job.evidence
    return [
        TenantNews(key=tenant.key, state=_found(evidence[tenant.public_code]), data_until_at=until)
        for tenant in tenants
        if tenant.public_code in evidence
    ]


def _found(found: Evidence) -> TenantState:
    if is_absent(found):
        return TenantState.ABSENT
    if found.get("missing"):
        # It should be there and is not: nothing is said to have come back.
        return TenantState.RESTORING
    # Without a place in the row it says: looked at, and not all of it could be counted.
    return TenantState.VERIFIED if is_whole(found) else TenantState.RESTORED


def _in_turn(
    tenants: Sequence[Tenant],
    *,
    at: datetime,
    until: datetime | None,
    left: estimate.Remaining | None,
) -> list[TenantNews]:
    news = []
    for place, tenant in enumerate(tenants, start=1):
        low = high = None
        if left is not None:
            own = estimate.own_share(left, place=place, of=len(tenants))
            low, high = outward(
                at + timedelta(seconds=own.low_seconds), at + timedelta(seconds=own.high_seconds)
            )
        news.append(
            TenantNews(
                key=tenant.key,
                state=TenantState.RESTORED,
                place=place,
                data_until_at=until,
                eta_low_at=low,
                eta_high_at=high,
                eta_basis=left.basis if left else "",
            )
        )
    return news


def _push(job: RestoreJob, news: Sequence[TenantNews], *, at: datetime) -> bool:
    try:
        report_tenants(key=job.key, tenants=news, at=at)
    except DatabaseError:
        # A restore is never given up because it could not be told.
        logger.warning("restore %s: its tenants could not be told", job.pk, exc_info=True)
        connection.close_if_unusable_or_obsolete()
        return False
    return True
