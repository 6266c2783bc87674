"""Deeds on tenants: who they are, under which code each finds itself, and how far its data is.

What tenants are told is sparse: a row is written when it says something else than before, not
with every breath of a job. So ten thousand of them can follow a restore that reports every two
seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from incidents.calm import allowance
from incidents.models import ProgressReport, Tenant, TenantProgress
from incidents.models.tenants import new_lookup_code
from incidents.signals import tenants_changed
from incidents.values import TenantState

# Places up to here are told exactly; farther ones when a quarter of the way is behind.
_NEAR = 10
_CLOSER = 3 / 4
# An end of an ETA that moved by less is not told anew.
_MOVED_AT_LEAST = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantNews:
    """How far one tenant's data is, as the job knows it now: figures alone.

    ``key`` is that of the tenant. ``place`` counts who is still to be dealt with, this one
    included; one that is restored and has none was looked at, and could not be checked in full.
    The ETA is the tenant's own.
    """

    key: str
    state: TenantState
    place: int | None = None
    data_until_at: datetime | None = None
    eta_low_at: datetime | None = None
    eta_high_at: datetime | None = None
    eta_basis: str = ""


_TOLD = tuple(field.name for field in fields(TenantNews) if field.name != "key")


def register_tenants(*, names: Mapping[str, str], at: datetime) -> list[Tenant]:
    """Register tenants by key, each with the name that it sees itself; known ones keep their code.

    Returns them in the order of ``names``.
    """
    with transaction.atomic():
        known = Tenant.objects.in_bulk(list(names), field_name="key")
        fresh = [
            Tenant(key=key, name=name, coded_at=at, created_at=at)
            for key, name in names.items()
            if key not in known
        ]
        renamed = [tenant for key, tenant in known.items() if tenant.name != names[key]]
        for tenant in renamed:
            tenant.name = names[tenant.key]
        Tenant.objects.bulk_create(fresh)
        Tenant.objects.bulk_update(renamed, ["name"])
        if fresh or renamed:
            _announce(len(fresh) + len(renamed))
    found = known | {tenant.key: tenant for tenant in fresh}
    return [found[key] for key in names]


def register_tenant(*, key: str, name: str, at: datetime) -> Tenant:
    """Register one tenant; a known one keeps its code."""
    return register_tenants(names={key: name}, at=at)[0]


def renew_lookup_code(*, tenant_id: int, at: datetime) -> Tenant:
    """Give a tenant a new code. Its old address leads nowhere from now on."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
        tenant.lookup_code, tenant.coded_at = new_lookup_code(), at
        tenant.save(update_fields=["lookup_code", "coded_at"])
        _announce(1)
    return tenant


def remove_tenant(*, key: str) -> bool:
    """Forget a tenant and all that it was told; return whether it was known.

    Its address leads nowhere from now on.
    """
    return bool(remove_tenants(keys=[key]))


def remove_tenants(*, keys: Sequence[str]) -> int:
    """Forget tenants and all that they were told; return how many were known.

    Their addresses lead nowhere from now on.
    """
    with transaction.atomic():
        _all, by_model = Tenant.objects.filter(key__in=keys).delete()
        removed = by_model.get(Tenant._meta.label, 0)
        if removed:
            _announce(removed)
    return removed


def report_tenants(*, key: str, tenants: Sequence[TenantNews], at: datetime) -> int:
    """Say how far the tenants of a job are; return how many rows say something else than before.

    ``key`` is the job's, of ``report_progress``; without a report that is under way nothing is
    said. Tenants that are not registered are passed over. A fixed number of queries.
    """
    with transaction.atomic():
        report = (
            ProgressReport.objects.unfinished().select_for_update(of=["self"]).filter(key=key)
        ).first()
        if report is None:
            return 0
        ids = dict(
            Tenant.objects.filter(key__in=[news.key for news in tenants]).values_list("key", "pk")
        )
        meant = TenantProgress.objects.filter(report=report, tenant__in=ids.values())
        told = {row.tenant_id: row for row in meant}
        rows = [
            _row(report, ids[news.key], values, at=at)
            for news in tenants
            if news.key in ids and (values := _worth_telling(news, told.get(ids[news.key]), at))
        ]
        if rows:
            TenantProgress.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["report", "tenant"],
                update_fields=[*_TOLD, "updated_at"],
            )
            _announce(len(rows))
    return len(rows)


def _row(
    report: ProgressReport, tenant_id: int, values: Mapping[str, object], *, at: datetime
) -> TenantProgress:
    return TenantProgress(report=report, tenant_id=tenant_id, updated_at=at, **values)


def _worth_telling(
    news: TenantNews, told: TenantProgress | None, at: datetime
) -> dict[str, object] | None:
    """Return what the tenant's row shall say; None if it says so already, or nearly."""
    values = {name: getattr(news, name) for name in _TOLD}
    if told is None:
        return values
    if news.state == told.state and news.data_until_at == told.data_until_at:
        if not _has_come_closer(told.place, news.place):
            values["place"] = told.place
        if not has_moved(told, news, at=at):
            values |= {name: getattr(told, name) for name in _TOLD if name.startswith("eta_")}
    return values if any(values[name] != getattr(told, name) for name in _TOLD) else None


def _has_come_closer(told: int | None, place: int | None) -> bool:
    if told is None or place is None:
        return told is not place
    return place <= max(told * _CLOSER, _NEAR) or place > told


def has_moved(told: TenantProgress | TenantNews, news: TenantNews, *, at: datetime) -> bool:
    """Whether an ETA is so far from the one that was told that it is worth telling."""
    if told.eta_low_at is None or told.eta_high_at is None:
        return news.eta_high_at is not None
    if news.eta_low_at is None or news.eta_high_at is None:
        return True
    allowed = allowance(told.eta_high_at, at=at, least=_MOVED_AT_LEAST)
    ends = ((told.eta_low_at, news.eta_low_at), (told.eta_high_at, news.eta_high_at))
    has_passed = told.eta_high_at < at < news.eta_high_at
    return has_passed or any(abs(new - old) > allowed for old, new in ends)


def _announce(count: int) -> None:
    # After the commit, and robust: a listener's fault must not undo what was said.
    transaction.on_commit(partial(tenants_changed.send_robust, sender=Tenant, count=count))
