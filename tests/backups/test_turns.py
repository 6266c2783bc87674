"""What each tenant is told where they come back one by one, and what many of them cost."""

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backups import runner
from backups.estimate import Remaining
from backups.models import (
    JobState,
    RestoreJob,
    RestorePhase,
    Tenant,
    TenantRestore,
    TenantRestoreState,
)
from backups.runner import tenants
from backups.runner.lanes import TenantsUnfinished
from backups.runner.later_parts import begin_later_parts
from backups.runner.telling import tell_end
from backups.runner.turns import Turns, turns_at_rest
from incidents.models import ProgressReport, TenantProgress, TimelineEntry
from incidents.operations import tenants as record
from tests.backups.factories import DatabaseFactory, RestoreJobFactory
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory

pytestmark = pytest.mark.django_db

State = TenantRestoreState
LEFT = Remaining(low_seconds=60, high_seconds=120, basis="last:30")


@pytest.fixture
def job() -> RestoreJob:
    incident = IncidentFactory.create()
    database = DatabaseFactory.create()
    first = RestoreJobFactory.create(
        database=database, incident=incident, state=JobState.SUCCEEDED, data_until_at=NOON - HOUR
    )
    found: RestoreJob = RestoreJobFactory.create(
        database=database,
        incident=incident,
        brings_forward=first,
        phase=RestorePhase.TENANTS,
        data_until_at=NOON,
    )
    return found


def turns(job: RestoreJob, *states: State, **fields: Any) -> list[TenantRestore]:
    names = [f"db{number:05}" for number in range(len(states))]
    found = Tenant.objects.bulk_create(
        Tenant(database=job.database, name=name, public_code=f"customer {name}", registered_at=NOON)
        for name in names
    )
    record.register_tenants(names={t.key: t.public_code for t in found}, at=NOON)
    first = job.brings_forward
    assert first is not None
    first.evidence = {tenant.public_code: {"rows": {}, "uncounted": []} for tenant in found}
    first.save()
    return TenantRestore.objects.bulk_create(
        TenantRestore(
            job=job, tenant=tenant, state=state, place=1000 * place, size_bytes=100,
            **_said_of(state), **fields,
        )
        for place, (tenant, state) in enumerate(zip(found, states, strict=True), start=1)
    )  # fmt: skip


def _said_of(state: State) -> dict[str, Any]:
    if state == State.WAITING:
        return {}
    ended = {} if state == State.RESTORING else {"ended_at": NOON}
    told: dict[State, dict[str, Any]] = {
        State.VERIFIED: {"data_until_at": NOON, "evidence": {"rows": {}, "uncounted": []}},
        State.FAILED: {"failure_code": "tool-failed"},
    }
    return {"began_at": NOON - MINUTE, **ended, **told.get(state, {})}


def end_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt find out that tenants are left."""

    def unfinished(_restoration: Any) -> None:
        raise TenantsUnfinished("1 failed")

    monkeypatch.setattr(
        "backups.runner.carrying.opened_supply",
        lambda *_places, **_named: nullcontext(SimpleNamespace(secrets=("s",))),
    )
    monkeypatch.setattr("backups.runner.restore.Restoration.carry", unfinished)


def told(job: RestoreJob) -> list[tuple[str, int | None, Any]]:
    rows = TenantProgress.objects.filter(report__key=job.key).order_by("tenant__name")
    return list(rows.values_list("state", "place", "data_until_at"))


class TestTold:
    def test_everybody_has_the_first_part_until_its_turn_comes(self, job: RestoreJob) -> None:
        turns(
            job,
            State.VERIFIED, State.RESTORING, State.WAITING, State.WAITING, State.FAILED,
            State.CONFLICT, State.KEPT,
        )  # fmt: skip
        runner.tell_queued(job, at=NOON)
        tenants.Tenants(job).tell(at=NOON, until=NOON, left=LEFT)

        first = NOON - HOUR
        assert told(job) == [
            ("back", None, NOON),
            ("own_turn", None, first),
            ("reopened", 1, first),
            ("reopened", 2, first),
            ("reopened", None, first),
            ("reopened", None, first),
            ("back", None, first),
        ]

    def test_those_whose_turn_is_nearer_are_done_sooner(self, job: RestoreJob) -> None:
        turns(job, *[State.WAITING] * 4)

        news = Turns(job).news(at=NOON, left=LEFT, everything=True)

        ends = [(each.eta_low_at, each.eta_high_at) for each in news]
        assert ends == [
            (NOON + timedelta(seconds=low), NOON + timedelta(seconds=high))
            # 0 to 60, 15 to 90, 30 and 45 to 120; in whole minutes, rounded outward.
            for low, high in ((0, 60), (0, 120), (0, 120), (0, 120))
        ]

    def test_only_what_moved_and_who_comes_next_is_read_again(self, job: RestoreJob) -> None:
        rows = turns(job, *[State.WAITING] * 200)
        looking = Turns(job)
        assert len(looking.news(at=NOON, left=LEFT, everything=False)) == 200

        TenantRestore.objects.filter(pk=rows[0].pk).update(
            state=State.VERIFIED, began_at=NOON, ended_at=NOON, data_until_at=NOON
        )
        news = looking.news(at=NOON + MINUTE, left=LEFT, everything=False)

        assert [(each.state, each.place) for each in news] == [
            ("back", None), *(("reopened", place) for place in range(1, 11)),
        ]  # fmt: skip
        TenantRestore.objects.filter(pk__in=[row.pk for row in rows[:30]]).update(
            state=State.VERIFIED, began_at=NOON, ended_at=NOON, data_until_at=NOON
        )
        assert len(looking.news(at=NOON + MINUTE, left=LEFT, everything=False)) == 200

    def test_what_came_back_stays_back_when_the_restore_stops(self, job: RestoreJob) -> None:
        turns(job, State.VERIFIED, State.CONFLICT, State.WAITING)
        runner.tell_queued(job, at=NOON)
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.FAILED, failure_code="tenants-unfinished"
        )
        job.refresh_from_db()

        tell_end(job, at=NOON)

        first = NOON - HOUR
        assert told(job) == [
            ("back", None, NOON), ("reopened", None, first), ("reopened", None, first),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("found", "while_it_goes_on", "in_the_end"),
        [
            ({"rows": {}, "uncounted": []}, "reopened", "reopened"),
            ({"rows": {}, "uncounted": ["public.notes"]}, "reopened", "restored"),
            ({"absent": True}, "waiting", "waiting"),
            ({"missing": True}, "waiting", "waiting"),
        ],
    )
    def test_each_is_told_what_the_first_part_really_has_of_it(
        self, found: dict[str, Any], while_it_goes_on: str, in_the_end: str, job: RestoreJob
    ) -> None:
        (row,) = turns(job, State.RESTORING)
        first = job.brings_forward
        assert first is not None
        first.evidence = {row.tenant.public_code: found}
        first.save()

        (news,) = turns_at_rest(job, goes_on=True)
        assert (news.state, news.place) == (while_it_goes_on, 1)
        # Given up: nobody's turn is going on, and only what was checked is called open.
        (news,) = turns_at_rest(job, goes_on=False)
        assert (news.state, news.place) == (in_the_end, None)

    def test_what_was_opened_on_somebody_s_word_is_not_called_checked(
        self, job: RestoreJob
    ) -> None:
        turns(job, State.WAITING, State.KEPT)
        first = job.brings_forward
        assert first is not None
        first.accepted_at, first.accepted_because = NOON, "The index can wait."
        first.save()

        told = turns_at_rest(job, goes_on=False)

        assert [news.state for news in told] == ["restored", "restored"]

    @pytest.mark.parametrize(
        ("state", "words"),
        [(State.VERIFIED, "Restore finished"), (State.KEPT, "except where newer work was kept")],
    )
    def test_not_all_is_said_to_be_back_where_newer_work_was_kept(
        self, state: State, words: str, job: RestoreJob
    ) -> None:
        turns(job, State.VERIFIED, state)
        runner.tell_queued(job, at=NOON)
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.SUCCEEDED, evidence={"customer": {"rows": {"public.notes": 1}}}
        )
        job.refresh_from_db()

        tell_end(job, at=NOON)

        entry = TimelineEntry.objects.get(external_id__startswith=f"{job.key}:restore_finished")
        assert words in entry.text

    def test_the_first_part_does_not_claim_that_all_is_back(self, job: RestoreJob) -> None:
        first = job.brings_forward
        assert first is not None
        runner.tell_queued(first, at=NOON)

        tell_end(first, at=NOON)

        entry = TimelineEntry.objects.get(external_id__startswith=f"{first.key}:")
        assert entry.external_id == f"{first.key}:restore_reopened:0"
        assert "What was written later follows" in entry.text


class TestTheRest:
    def resting(self, job: RestoreJob) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(state=JobState.PAUSED, pause_at=NOON)

    def test_begins_when_the_first_part_is_open(self, job: RestoreJob) -> None:
        self.resting(job)

        assert runner.waiting_restores(at=NOON + MINUTE) == [(job.pk, job.target.queue)]
        job.refresh_from_db()
        assert (job.state, job.pause_at) == (JobState.QUEUED, None)

    def test_rests_until_then(self, job: RestoreJob) -> None:
        self.resting(job)
        RestoreJob.objects.filter(later_parts=job).update(
            state=JobState.FAILED, failure_code="disk-too-small"
        )

        assert begin_later_parts(at=NOON + MINUTE) == 0

    def test_is_not_begun_for_somebody_who_paused_it(self, job: RestoreJob) -> None:
        self.resting(job)
        RestoreJob.objects.filter(pk=job.pk).update(started_at=NOON, pause_at=NOON + MINUTE)

        assert begin_later_parts(at=NOON + HOUR) == 0

    def test_goes_on_if_somebody_decided_while_it_was_about_to_stop(
        self, job: RestoreJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turns(job, State.VERIFIED, State.WAITING)
        end_unfinished(monkeypatch)

        runner.run_restore(restore_id=job.pk, now=lambda: NOON)

        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        job.tenant_restores.filter(state=State.WAITING).update(
            state=State.FAILED, failure_code="tool-failed"
        )
        runner.run_restore(restore_id=job.pk, now=lambda: NOON)
        job.refresh_from_db()
        assert (job.state, job.failure_code) == (JobState.FAILED, TenantsUnfinished.code)

    def test_says_how_many_are_back_by_their_own_rows_when_it_stops(
        self, job: RestoreJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turns(job, *[State.VERIFIED] * 10, State.KEPT, State.CONFLICT)
        # As it was told last, wrong or old.
        RestoreJob.objects.filter(pk=job.pk).update(done=12, total=12, unit="items")
        end_unfinished(monkeypatch)

        runner.run_restore(restore_id=job.pk, now=lambda: NOON)

        job.refresh_from_db()
        report = ProgressReport.objects.get(key=job.key)
        assert (job.state, job.done, job.total) == (JobState.FAILED, 11, 12)
        assert (report.state, report.done, report.total) == ("paused", 11, 12)


class TestTenThousand:
    def test_cost_no_more_to_choose_from_than_ten(self, job: RestoreJob) -> None:
        turns(job, *[State.WAITING] * 10)
        TenantRestore.objects.bulk_create(
            TenantRestore(job=job, tenant=tenant, place=20_000 + place, size_bytes=100)
            for place, tenant in enumerate(_more(job, 10_000))
        )
        connection.cursor().execute("analyze backups_tenantrestore")
        rows = TenantRestore.objects.filter(job=job)

        with CaptureQueriesContext(connection) as asked:
            row = rows.claim_next(at=NOON, most_bytes=1000)

        assert row is not None
        assert row.tenant.name == "db00000"
        choosing = [query["sql"] for query in asked if "SKIP LOCKED" in query["sql"]]
        assert len(choosing) == 1
        # By the index, and no sort of all that wait.
        plan = "\n".join(
            line for (line,) in _explained(choosing[0]) if "Scan" in line or "Sort" in line
        )
        assert "tenantrestore_in_order" in plan
        assert "Seq Scan on backups_tenantrestore" not in plan

    def test_cost_few_full_readings_to_tell(self, job: RestoreJob) -> None:
        turns(job, *[State.WAITING] * 1000)
        looking = Turns(job)
        full = 0
        for row in TenantRestore.objects.filter(job=job).in_order():
            TenantRestore.objects.filter(pk=row.pk).update(
                state=State.VERIFIED, began_at=NOON, ended_at=NOON, data_until_at=NOON
            )
            if row.place % 10_000 == 0:
                at = NOON + timedelta(seconds=row.place)
                full += len(looking.news(at=at, left=LEFT, everything=False)) == 1000

        assert full < 50


def _more(job: RestoreJob, count: int) -> list[Tenant]:
    return Tenant.objects.bulk_create(
        Tenant(database=job.database, name=f"more{n}", public_code=f"more {n}", registered_at=NOON)
        for n in range(count)
    )


def _explained(query: str) -> list[tuple[str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"explain {query}")
        found: list[tuple[str]] = cursor.fetchall()
    return found
