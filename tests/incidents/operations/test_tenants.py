"""Tenants: who they are, which code is whose, and what is worth telling them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from incidents import operations, queries
from incidents.models import BackupProof, ProgressReport, Tenant, TenantProgress
from incidents.operations import Proof, TenantNews
from incidents.signals import public_state_changed, tenants_changed
from incidents.values import ProvenHow, TenantState
from tests.factories import HOUR, MINUTE, NOON, ProgressReportFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """Give what listeners hear of tenants."""
    seen: list[dict[str, Any]] = []

    def listen(**said: Any) -> None:
        seen.append(said)

    tenants_changed.connect(listen)
    yield seen
    tenants_changed.disconnect(listen)


def registered(count: int) -> list[str]:
    names = {f"tenant:{number}": f"Customer {number}" for number in range(count)}
    operations.register_tenants(names=names, at=NOON)
    return list(names)


def news(key: str, state: TenantState = TenantState.RESTORED, **fields: Any) -> TenantNews:
    return TenantNews(key=key, state=state, data_until_at=NOON, **fields)


def eta(minutes: float, *, width: float = 10) -> dict[str, Any]:
    return {
        "eta_low_at": NOON + minutes * MINUTE,
        "eta_high_at": NOON + (minutes + width) * MINUTE,
    }


class TestRegisterTenants:
    def test_gives_each_a_code_of_its_own_that_can_be_read_out(self) -> None:
        found = operations.register_tenants(names={"a": "Acme", "b": "Borealis"}, at=NOON)

        assert [tenant.name for tenant in found] == ["Acme", "Borealis"]
        codes = {tenant.lookup_code for tenant in found}
        assert len(codes) == 2
        assert all(re.fullmatch(r"[2-9bcdfghjkmnpqrstvwxz]{16}", code) for code in codes)
        assert re.fullmatch(r"(\w{4}-){3}\w{4}", found[0].spoken_code)
        assert found[0].spoken_code.replace("-", "") == found[0].lookup_code

    def test_keeps_the_code_of_one_that_is_known_and_takes_its_new_name(self) -> None:
        before = operations.register_tenant(key="a", name="Acme", at=NOON)

        after = operations.register_tenant(key="a", name="Acme Corp", at=NOON + HOUR)

        assert (after.pk, after.lookup_code) == (before.pk, before.lookup_code)
        assert Tenant.objects.get().name == "Acme Corp"

    def test_announces_once_for_many_and_not_when_nothing_changes(
        self, heard: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            registered(20)
        with django_capture_on_commit_callbacks(execute=True):
            registered(20)

        assert len(heard) == 1

    def test_the_announcement_names_nobody(
        self, heard: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            registered(1)

        assert set(heard[0]) == {"signal", "sender", "count"}

    def test_a_code_that_can_be_guessed_is_kept_out(self) -> None:
        with pytest.raises(IntegrityError, match="tenant_lookup_code_is_one"):
            Tenant.objects.create(
                key="a", name="Acme", lookup_code="acme", coded_at=NOON, created_at=NOON
            )


class TestRenewLookupCode:
    def test_gives_another_code(self) -> None:
        before = operations.register_tenant(key="a", name="Acme", at=NOON)

        after = operations.renew_lookup_code(tenant_id=before.pk, at=NOON + HOUR)

        assert after.lookup_code != before.lookup_code
        assert after.coded_at == NOON + HOUR


class TestRemoveTenant:
    def test_forgets_it_and_what_it_was_told_and_says_so_once(
        self, heard: list[Any], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        (key,) = registered(1)
        ProgressReportFactory.create(key="restore-1")
        operations.report_tenants(key="restore-1", tenants=[news(key)], at=NOON)
        with django_capture_on_commit_callbacks(execute=True):
            removed = [operations.remove_tenant(key=key) for _again in range(2)]

        assert removed == [True, False]
        assert len(heard) == 1
        assert not TenantProgress.objects.exists()


class TestReportTenants:
    @pytest.fixture
    def report(self) -> ProgressReport:
        found: ProgressReport = ProgressReportFactory.create(key="restore-1")
        return found

    def tell(self, *told: TenantNews, at: datetime = NOON) -> int:
        return operations.report_tenants(key="restore-1", tenants=told, at=at)

    def test_writes_what_is_new_and_leaves_the_rest(self, report: ProgressReport) -> None:
        first, second = registered(2)
        assert self.tell(news(first, place=1), news(second, place=2)) == 2

        later = NOON + MINUTE
        changed = self.tell(news(first, TenantState.VERIFIED), news(second, place=2), at=later)

        assert changed == 1
        rows = TenantProgress.objects.filter(report=report).order_by("tenant__key")
        assert [(row.state, row.place, row.updated_at) for row in rows] == [
            ("verified", None, later),
            ("restored", 2, NOON),
        ]

    def test_announces_only_what_changed(
        self,
        report: ProgressReport,
        heard: list[Any],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        (key,) = registered(1)
        for _again in range(3):
            with django_capture_on_commit_callbacks(execute=True):
                self.tell(news(key, place=1))

        assert len(heard) == 1

    def test_asks_as_often_for_ten_thousand_as_for_one(self, report: ProgressReport) -> None:
        counts = {}
        for count in (1, 10_000):
            keys = registered(count)
            with CaptureQueriesContext(
                connection,
            ) as asked:
                self.tell(*[news(key, place=n + 1, **eta(n)) for n, key in enumerate(keys)])
            counts[count] = len(asked)

        assert counts[1] == counts[10_000]
        assert TenantProgress.objects.count() == 10_000

    def test_is_silent_for_strangers_and_for_jobs_that_have_no_report(self) -> None:
        (key,) = registered(1)
        assert self.tell(news(key)) == 0

        ProgressReportFactory.create(key="restore-1")
        assert self.tell(news("stranger")) == 0

    def test_leaves_what_an_ended_job_said(self, report: ProgressReport) -> None:
        (key,) = registered(1)
        self.tell(news(key, TenantState.VERIFIED))
        ProgressReport.objects.update(state="succeeded", ended_at=NOON)

        assert self.tell(news(key, TenantState.RESTORING)) == 0
        assert TenantProgress.objects.get().state == TenantState.VERIFIED

    def test_tells_near_places_exactly_and_far_ones_now_and_then(
        self, report: ProgressReport
    ) -> None:
        (key,) = registered(1)
        told = [place for place in range(1000, 0, -1) if self.tell(news(key, place=place))]

        assert told[-10:] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
        assert len(told) < 30
        # What stands there is never less than what is so.
        assert told[:3] == [1000, 750, 562]

    def test_tells_an_eta_anew_only_when_it_has_moved(self, report: ProgressReport) -> None:
        (key,) = registered(1)
        self.tell(news(key, **eta(50)))

        assert self.tell(news(key, **eta(52))) == 0
        assert self.tell(news(key, **eta(80))) == 1
        assert self.tell(news(key)) == 1
        assert TenantProgress.objects.get().eta_high_at is None

    def test_tells_an_eta_anew_once_the_old_one_has_passed(self, report: ProgressReport) -> None:
        (key,) = registered(1)
        self.tell(news(key, **eta(0, width=1)))

        late = NOON + timedelta(seconds=61)
        assert self.tell(news(key, **eta(0, width=1.1)), at=late) == 1

    def test_verified_data_has_a_horizon_and_waits_for_nothing(
        self, report: ProgressReport
    ) -> None:
        (key,) = registered(1)

        with pytest.raises(IntegrityError, match="verified_has_a_horizon"):
            self.tell(news(key, TenantState.VERIFIED, place=1))


class TestReportProof:
    @pytest.fixture
    def announced(self) -> Iterator[list[Any]]:
        seen: list[Any] = []

        def listen(**said: Any) -> None:
            seen.append(said["incident_id"])

        public_state_changed.connect(listen)
        yield seen
        public_state_changed.disconnect(listen)

    def test_is_written_and_announced_only_when_it_is_news(
        self,
        announced: list[Any],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        proof = Proof(name="Tours", taken_at=NOON)
        proven = Proof(
            name="Tours", taken_at=NOON, proven_at=NOON + HOUR, proven_how=ProvenHow.RESTORE
        )
        with django_capture_on_commit_callbacks(execute=True):
            said = [
                operations.report_proof(key="database:1", proof=each, at=NOON)
                for each in (proof, proof, proven)
            ]

        assert said == [True, False, True]
        assert announced == [None, None]
        (row,) = queries.proofs()
        assert (row.taken_at, row.proven_at) == (NOON, NOON + HOUR)

    def test_can_be_taken_back(self) -> None:
        operations.report_proof(key="database:1", proof=Proof(name="Tours"), at=NOON)

        assert operations.withdraw_proof(key="database:1")
        assert not operations.withdraw_proof(key="database:1")
        assert queries.proofs() == []

    def test_what_is_proven_says_how(self) -> None:
        with pytest.raises(IntegrityError, match="proven_iff_it_says_how"):
            BackupProof.objects.create(
                key="a", name="Tours", proven_at=NOON, updated_at=NOON,
                taken_stale_after=HOUR, proven_stale_after=HOUR,
            )  # fmt: skip
