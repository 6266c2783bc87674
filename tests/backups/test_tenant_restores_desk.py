"""The list of a restore's tenants at the desk and on the command line: find, move, try, decide."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups import operations, queries
from backups.models import (
    JobState,
    RestoreJob,
    RestorePhase,
    Tenant,
    TenantRestore,
    TenantRestoreState,
)
from backups.operations import Place
from backups.runner.lanes import TenantsUnfinished
from incidents.models import TimelineEntry
from tests.backups.factories import DatabaseFactory, RestoreJobFactory
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

State = TenantRestoreState


@pytest.fixture
def job() -> RestoreJob:
    database = DatabaseFactory.create()
    first = RestoreJobFactory.create(
        database=database, state=JobState.SUCCEEDED, data_until_at=NOON
    )
    found: RestoreJob = RestoreJobFactory.create(
        database=database,
        brings_forward=first,
        incident=IncidentFactory.create(),
        phase=RestorePhase.TENANTS,
        data_until_at=NOON + HOUR,
    )
    return found


def turn(job: RestoreJob, name: str, **fields: Any) -> TenantRestore:
    number = job.tenant_restores.count() + 1
    tenant = Tenant.objects.create(
        database=job.database, name=name, public_code=f"customer-{name}", registered_at=NOON
    )
    values = {"place": number * 1000, "size_bytes": 39 << 20} | fields
    return TenantRestore.objects.create(job=job, tenant=tenant, **values)


@pytest.fixture
def waiting(job: RestoreJob) -> list[TenantRestore]:
    return [turn(job, name) for name in ("acme", "borealis", "cumulus", "delta")]


def order(job: RestoreJob) -> list[str]:
    return [row.tenant.name for row in queries.tenant_restores(job.pk)]


class TestOrder:
    @pytest.mark.parametrize(
        ("name", "to", "then"),
        [
            ("cumulus", Place.FIRST, ["cumulus", "acme", "borealis", "delta"]),
            ("cumulus", Place.EARLIER, ["acme", "cumulus", "borealis", "delta"]),
            ("borealis", Place.LATER, ["acme", "cumulus", "borealis", "delta"]),
            ("borealis", Place.LAST, ["acme", "cumulus", "delta", "borealis"]),
            ("acme", Place.EARLIER, ["acme", "borealis", "cumulus", "delta"]),
            ("acme", Place.FIRST, ["acme", "borealis", "cumulus", "delta"]),
            ("delta", Place.LATER, ["acme", "borealis", "cumulus", "delta"]),
        ],
    )
    def test_is_changed_one_at_a_time(
        self, name: str, to: Place, then: list[str], job: RestoreJob, waiting: list[TenantRestore]
    ) -> None:
        row = queries.tenant_restore_named(job.pk, f"customer-{name}")

        operations.move_tenant(tenant_restore_id=row.pk, to=to)

        assert order(job) == then
        assert [each.turn for each in queries.tenant_restores(job.pk)] == [1, 2, 3, 4]  # type: ignore[attr-defined]

    def test_has_room_at_the_front_for_everybody(
        self, job: RestoreJob, waiting: list[TenantRestore]
    ) -> None:
        TenantRestore.objects.filter(pk=waiting[0].pk).update(place=0)

        for row in waiting:
            operations.move_tenant(tenant_restore_id=row.pk, to=Place.FIRST)

        assert order(job) == ["delta", "cumulus", "borealis", "acme"]

    def test_is_of_those_that_wait(self, job: RestoreJob, waiting: list[TenantRestore]) -> None:
        done = turn(job, "echo", state=State.VERIFIED, place=1)

        with pytest.raises(operations.NotMovable):
            operations.move_tenant(tenant_restore_id=done.pk, to=Place.FIRST)
        operations.move_tenant(tenant_restore_id=waiting[0].pk, to=Place.EARLIER)
        assert order(job)[:2] == ["echo", "acme"]


class TestGoingOn:
    def stopped(self, job: RestoreJob, code: str = TenantsUnfinished.code) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.FAILED, failure_code=code, ended_at=NOON
        )

    def test_a_restore_that_stopped_for_them_goes_on_when_all_is_decided(
        self, job: RestoreJob
    ) -> None:
        rows = [turn(job, name, state=State.CONFLICT, detail="rows") for name in ("acme", "beta")]
        self.stopped(job)

        for row, state in zip(rows, (JobState.FAILED, JobState.QUEUED), strict=True):
            operations.decide_conflict(
                tenant_restore_id=row.pk, replace=False, at=NOON, by_worker=False
            )
            job.refresh_from_db()
            assert job.state == state

        entry = TimelineEntry.objects.filter(incident=job.incident).latest("pk")
        assert "customer-beta took writes after it was reopened" in entry.text
        assert "stays as it is" in entry.text
        assert not entry.is_public

    def test_one_to_be_tried_again_is_enough(self, job: RestoreJob) -> None:
        row = turn(job, "acme", state=State.FAILED, failure_code="tool-failed", attempts=2)
        turn(job, "beta", state=State.CONFLICT)
        self.stopped(job)

        operations.retry_tenant(tenant_restore_id=row.pk, at=NOON, by_worker=False)

        job.refresh_from_db()
        row.refresh_from_db()
        assert (job.state, row.state, row.attempts) == (JobState.QUEUED, State.WAITING, 0)

    def test_what_stopped_for_another_reason_stays_stopped(self, job: RestoreJob) -> None:
        row = turn(job, "acme", state=State.FAILED, failure_code="tool-failed")
        self.stopped(job, "server-unreachable")

        operations.retry_tenant(tenant_restore_id=row.pk, at=NOON, by_worker=False)

        job.refresh_from_db()
        assert job.state == JobState.FAILED

    def test_what_is_over_is_over(self, job: RestoreJob) -> None:
        row = turn(job, "acme", state=State.CONFLICT)
        RestoreJob.objects.filter(pk=job.pk).update(state=JobState.CANCELLED)

        with pytest.raises(operations.RestoreIsOver):
            operations.decide_conflict(tenant_restore_id=row.pk, replace=True, at=NOON)
        with pytest.raises(operations.RestoreIsOver):
            operations.set_lanes(restore_id=job.pk, lanes=4)
        row.refresh_from_db()
        assert row.state == State.CONFLICT


class TestDesk:
    @pytest.fixture
    def desk(self, client: Client) -> Client:
        client.force_login(ResponderFactory.create())
        return client

    def page(self, desk: Client, job: RestoreJob, **query: str) -> str:
        address = reverse("backups:turn-list", args=[job.pk])
        return desk.get(address, query).content.decode()

    def test_shows_how_far_each_is(self, desk: Client, job: RestoreJob) -> None:
        turn(job, "acme", state=State.RESTORING, total=1000, done=400)
        turn(job, "beta", state=State.FAILED, failure_code="dump-unfit", detail="no role keeper")
        turn(job, "gamma", state=State.VERIFIED, data_until_at=NOON)
        turn(job, "delta")

        page = self.page(desk, job)

        for words in ("Being restored 1", "no role keeper", "Try again", "To the front", "All 4"):
            assert words in page
        live = desk.get(reverse("backups:turn-live", args=[job.pk])).content.decode()
        assert "no role keeper" in live
        assert "<html" not in live

    def test_filters_finds_and_pages(self, desk: Client, job: RestoreJob) -> None:
        for number in range(60):
            turn(job, f"db{number:02}", state=State.VERIFIED if number % 2 else State.WAITING)

        assert "customer-db01" not in self.page(desk, job, state="WAITING")
        assert "customer-db00" in self.page(desk, job, state="WAITING")
        assert "customer-db59" in self.page(desk, job, page="3")
        assert "customer-db59" not in self.page(desk, job)
        found = self.page(desk, job, q="DB4")
        assert "customer-db41" in found
        assert "customer-db51" not in found
        assert "No tenant fits" in self.page(desk, job, q="\0nobody", state="nonsense")

    def test_asks_as_often_for_three_as_for_thirty(self, desk: Client, job: RestoreJob) -> None:
        counts = []
        for names in (range(3), range(3, 30)):
            for number in names:
                turn(job, f"db{number:02}")
            with CaptureQueriesContext(connection) as asked:
                self.page(desk, job)
            counts.append(len(asked))

        assert counts[0] == counts[1]

    def test_moves_and_goes_back_to_where_it_was(
        self, desk: Client, job: RestoreJob, waiting: list[TenantRestore]
    ) -> None:
        back = reverse("backups:turn-list", args=[job.pk]) + "?state=WAITING&page=2"
        address = reverse("backups:turn-move", args=[waiting[3].pk])

        answer = desk.post(address, {"to": "first", "back": back})

        assert answer["Location"] == back
        assert order(job)[0] == "delta"
        away = desk.post(address, {"to": "first", "back": "https://elsewhere.example/"})
        assert away["Location"] == reverse("backups:turn-list", args=[job.pk])
        desk.post(address, {"to": "nowhere"})
        assert desk.get(address).status_code == 405

    def test_says_why_not(self, desk: Client, job: RestoreJob) -> None:
        row = turn(job, "acme", state=State.VERIFIED)

        for name in ("turn-move", "turn-retry"):
            address = reverse(f"backups:{name}", args=[row.pk])
            page = desk.post(address, {"to": "first"}, follow=True).content.decode()
            assert "Only a tenant that" in page

    def test_decides_once_confirmed(self, desk: Client, job: RestoreJob) -> None:
        row = turn(job, "acme", state=State.CONFLICT, detail="rows of public.notes")
        address = reverse("backups:turn-decide", args=[row.pk])
        assert address in self.page(desk, job)
        assert "rows of public.notes" in desk.get(address).content.decode()
        desk.post(address, {"decision": "whatever"})
        row.refresh_from_db()
        assert row.state == State.CONFLICT

        desk.post(address, {"decision": "replace"})

        row.refresh_from_db()
        assert (row.state, row.may_replace) == (State.WAITING, True)
        again = desk.post(address, {"decision": "keep"})
        assert again.status_code == 422
        assert "Nothing is to be decided" in again.content.decode()

    def test_changes_how_many_come_at_once(self, desk: Client, job: RestoreJob) -> None:
        address = reverse("backups:lanes-set", args=[job.pk])

        for typed, lanes in (("4", 4), ("0", 4), ("", None)):
            desk.post(address, {"lanes": typed})
            job.refresh_from_db()
            assert job.lanes == lanes

    def test_is_for_staff(self, client: Client, job: RestoreJob) -> None:
        row = turn(job, "acme")
        for name, pk in (
            ("turn-list", job.pk), ("turn-live", job.pk), ("turn-decide", row.pk),
        ):  # fmt: skip
            assert "login" in client.get(reverse(f"backups:{name}", args=[pk]))["Location"]
        for name, pk in (("turn-move", row.pk), ("turn-retry", row.pk), ("lanes-set", job.pk)):
            assert "login" in client.post(reverse(f"backups:{name}", args=[pk]))["Location"]

    def test_knows_what_is_not_there(self, desk: Client) -> None:
        for name in ("turn-list", "turn-decide"):
            assert desk.get(reverse(f"backups:{name}", args=[4711])).status_code == 404


class TestCommands:
    def said(self, *arguments: Any, **options: Any) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out, **options)
        return out.getvalue()

    def test_list_in_order(self, job: RestoreJob, waiting: list[TenantRestore]) -> None:
        turn(job, "echo", state=State.FAILED, failure_code="dump-unfit", detail="no role\nkeeper")

        lines = self.said("tenant_restores", job.pk).splitlines()

        assert lines[0] == "4 waiting, 1 failed"
        assert [line.split()[:2] for line in lines[1:3]] == [
            ["1", "customer-acme"], ["2", "customer-borealis"],
        ]  # fmt: skip
        assert lines[5].endswith("no role keeper")
        found = json.loads(
            self.said("tenant_restores", job.pk, "--state", "failed", "--format", "json")
        )
        assert [(row["tenant"], row["failure"], row["turn"]) for row in found] == [
            ("customer-echo", "dump-unfit", None)
        ]

    def test_say_that_turns_are_not_known_yet(self, job: RestoreJob) -> None:
        assert "not known" in self.said("tenant_restores", job.pk)

    def test_change_the_lanes(self, job: RestoreJob) -> None:
        self.said("tenant_restores", job.pk, lanes=3)

        job.refresh_from_db()
        assert job.lanes == 3
        with pytest.raises(CommandError, match="from 1 to 64"):
            self.said("tenant_restores", job.pk, lanes=0)
        with pytest.raises(CommandError, match="There is no restore"):
            self.said("tenant_restores", 4711)

    def test_do_what_the_desk_does(self, job: RestoreJob, waiting: list[TenantRestore]) -> None:
        self.said("tenant_restore", job.pk, "customer-delta", "first")
        assert order(job)[0] == "delta"

        turn(job, "echo", state=State.FAILED, failure_code="dump-unfit")
        assert self.said("tenant_restore", job.pk, "echo", "retry") == "customer-echo: waiting.\n"
        for name, deed, then in (
            ("fox", "keep", "left as it is"), ("golf", "replace", "waiting"),
        ):  # fmt: skip
            turn(job, name, state=State.CONFLICT)
            assert self.said("tenant_restore", job.pk, name, deed) == f"customer-{name}: {then}.\n"
        with pytest.raises(CommandError, match="Only a tenant"):
            self.said("tenant_restore", job.pk, "acme", "retry")
        with pytest.raises(CommandError, match="no tenant named"):
            self.said("tenant_restore", job.pk, "nobody", "retry")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (["--find=zzz"], "None of them has 'zzz' in its name."),
        (["--state=FAILED", "--find=zzz"], "and has 'zzz' in its name."),
    ],
)
def test_the_list_says_that_none_is_like_what_was_asked_for(
    asked: list[str], answer: str, job: RestoreJob
) -> None:
    turn(job, "acme")
    out = StringIO()

    call_command("tenant_restores", str(job.pk), *asked, stdout=out)

    assert answer in out.getvalue()
