"""What a restore says of its tenants: from the queue to the last one that is verified."""

import json
import os
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups import operations, runner
from backups.estimate import Remaining
from backups.models import Database, JobState, RestoreAttempt, RestoreJob, RestorePhase
from backups.runner import tenants
from backups.runner.telling import Telling, tell_end
from backups.steps import Step
from incidents.models import ProgressReport, TenantProgress
from incidents.models import Tenant as Known
from incidents.values import ProgressState
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, RestoreJobFactory
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

NAMES = ("acme", "borealis", "cumulus")
COUNTED = {"rows": {"public.notes": 3}, "uncounted": []}


class _Lease:
    """A lease that is never lost."""

    worker = "here:1:a"

    def check(self) -> None:
        """Hold."""


@pytest.fixture
def database() -> Database:
    found: Database = DatabaseFactory.create(latest_restorable_at=NOON - HOUR)
    for priority, name in enumerate(NAMES):
        operations.register_tenant(
            database_id=found.pk,
            name=name,
            public_code=f"customer {name}",
            # Registered in the order of the alphabet, to come back in the reverse.
            priority=100 - priority,
            at=NOON - 48 * HOUR,
        )
    return found


@pytest.fixture
def job(database: Database) -> RestoreJob:
    found: RestoreJob = RestoreJobFactory.create(
        database=database, incident=IncidentFactory.create(), data_until_at=NOON - HOUR
    )
    return found


@pytest.fixture
def telling(job: RestoreJob, monkeypatch: pytest.MonkeyPatch) -> Telling:
    # Told at every step, for the tests do not wait.
    monkeypatch.setattr("backups.runner.telling.STORED_EVERY_SECONDS", 0)
    monkeypatch.setattr("backups.runner.tenants._REST_FOR_EACH_SECOND_OF_TELLING", 0)
    RestoreJob.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, leased_by=_Lease.worker, leased_until=NOON + HOUR
    )
    job.refresh_from_db()
    attempt = RestoreAttempt.objects.create(job=job, number=1, worker="here", began_at=NOON)
    return Telling(job, attempt, _Lease(), lambda: NOON)  # type: ignore[arg-type]


def told() -> dict[str, tuple[str, int | None]]:
    """Return state and place by the name that the tenant sees."""
    return {
        row.tenant.name.removeprefix("customer "): (row.state, row.place)
        for row in TenantProgress.objects.select_related("tenant")
    }


def found(**by_name: dict[str, Any]) -> dict[str, Any]:
    """Return evidence by the tenants' public codes."""
    return {f"customer {name}": what for name, what in by_name.items()}


class TestQueued:
    def test_every_tenant_waits_at_its_place(self, database: Database) -> None:
        incident = IncidentFactory.create()
        job = RestoreJobFactory.create(database=database, incident=incident)

        runner.tell_queued(job, at=NOON)

        assert told() == {
            "cumulus": ("waiting", 1), "borealis": ("waiting", 2), "acme": ("waiting", 3),
        }  # fmt: skip
        assert ProgressReport.objects.get().key == job.key

    def test_asking_for_a_restore_tells_it(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreadable(**_anything: Any) -> None:
            raise operations.CatalogueUnreadable

        monkeypatch.setattr("backups.operations.restores.sync_backups", unreadable)
        incident = IncidentFactory.create()
        operations.request_restore(
            database_id=database.pk,
            recovery_target_id=RecoveryTargetFactory.create().pk,
            incident_id=incident.pk,
            at=NOON,
            by_worker=False,
        )

        assert {state for state, _place in told().values()} == {"waiting"}

    def test_a_restore_without_an_incident_is_nobodys_news(self, database: Database) -> None:
        runner.tell_queued(RestoreJobFactory.create(database=database), at=NOON)

        assert told() == {}


class TestUnderWay:
    def test_all_are_restored_together(self, telling: Telling, job: RestoreJob) -> None:
        for phase in (RestorePhase.PLAN, RestorePhase.FETCH, RestorePhase.REPLAY):
            telling.begin(phase)

            assert set(told().values()) == {("restoring", None)}
        assert {row.data_until_at for row in TenantProgress.objects.all()} == {job.data_until_at}

    def test_each_is_verified_as_it_is_looked_at(self, telling: Telling, job: RestoreJob) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")
        seen = [told()]
        for done, name in enumerate((None, *reversed(NAMES))):
            if name:
                job.evidence |= found(**{name: COUNTED})
            telling.step(Step(done=done, total=3))
            seen.append(told())

        assert seen[0] == {
            "cumulus": ("restored", 1), "borealis": ("restored", 2), "acme": ("restored", 3),
        }  # fmt: skip
        assert seen[2] == {
            "cumulus": ("verified", None), "borealis": ("restored", 1), "acme": ("restored", 2),
        }  # fmt: skip
        assert set(seen[4].values()) == {("verified", None)}

    def test_one_that_did_not_exist_yet_is_not_said_to_be_verified(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        job.evidence = {"customer cumulus": {"absent": True}, "customer borealis": {"rows": {}}}
        telling.begin(RestorePhase.VERIFY, unit="items")
        telling.step(Step(done=2, total=3))

        assert told()["cumulus"] == ("absent", None)
        assert told()["borealis"] == ("verified", None)

    def test_what_could_not_be_counted_is_not_said_to_be_verified(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        job.evidence = found(
            cumulus={"rows": {}, "uncounted": ["public.orders"]},
            borealis={"rows": {"public.notes": 3}, "uncounted": ["public.orders"]},
        )
        telling.begin(RestorePhase.VERIFY, unit="items")
        telling.step(Step(done=2, total=3))

        # Without a place: it was looked at, and that is all that is said.
        assert told() == {
            "cumulus": ("restored", None), "borealis": ("restored", None), "acme": ("restored", 1),
        }  # fmt: skip

    def test_one_registered_meanwhile_takes_nobodys_turn(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        job.evidence = found(cumulus=COUNTED)
        operations.register_tenant(
            database_id=job.database_id, name="late", public_code="customer late", priority=1,
            at=NOON,
        )  # fmt: skip
        telling.begin(RestorePhase.VERIFY, unit="items")
        telling.step(Step(done=1, total=3))

        assert told()["cumulus"] == ("verified", None)
        assert told()["late"][0] == "restored"

    def test_has_an_estimate_of_its_own_once_one_is_measured(
        self, job: RestoreJob, database: Database
    ) -> None:
        runner.tell_queued(job, at=NOON)
        job.phase, job.done = RestorePhase.VERIFY, 0
        left = Remaining(low_seconds=60, high_seconds=120, basis="last:30")

        tenants.Tenants(job).tell(at=NOON, until=NOON, left=left)

        # After 80, 120 and 120 seconds; told in whole minutes, rounded outward.
        ends = TenantProgress.objects.order_by("place").values_list("eta_high_at", flat=True)
        assert list(ends) == [NOON + timedelta(minutes=2)] * 3
        basis = TenantProgress.objects.values_list("eta_basis", flat=True).distinct()
        assert list(basis) == ["last:30"]

    def test_says_nothing_twice(self, telling: Telling) -> None:
        telling.begin(RestorePhase.FETCH)
        with CaptureQueriesContext(connection) as asked:
            for done in range(5):
                telling.step(Step(done=done, total=1000))

        assert not [query for query in asked if "tenant" in query["sql"].lower()]

    def test_a_record_that_does_not_answer_does_not_stop_the_restore(
        self, telling: Telling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(**_anything: Any) -> None:
            raise DatabaseError("away")

        monkeypatch.setattr("backups.runner.tenants.report_tenants", away)
        monkeypatch.setattr("backups.runner.tenants.connection", _NoConnection())

        telling.begin(RestorePhase.FETCH)

        assert told() == {}


class _NoConnection:
    def close_if_unusable_or_obsolete(self) -> None:
        """Nothing to close: the test's own stays open."""


class TestEnd:
    def ended(self, job: RestoreJob, state: JobState, **fields: Any) -> None:
        RestoreJob.objects.filter(pk=job.pk).update(
            state=state, leased_by="", leased_until=None, ended_at=NOON + HOUR, **fields
        )
        job.refresh_from_db()
        tell_end(job, at=NOON + HOUR)

    def test_what_succeeded_is_verified_for_all(self, telling: Telling, job: RestoreJob) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")

        evidence = found(**dict.fromkeys(NAMES, COUNTED))
        self.ended(job, JobState.SUCCEEDED, evidence=evidence)

        assert set(told().values()) == {("verified", None)}
        assert ProgressReport.objects.get().state == ProgressState.SUCCEEDED

    def test_what_did_not_come_back_is_not_said_to_be_restored(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")

        evidence = found(acme=COUNTED, borealis={"missing": True}, cumulus={"absent": True})
        self.ended(job, JobState.SUCCEEDED, evidence=evidence)

        assert told() == {
            "acme": ("verified", None), "borealis": ("restoring", None),
            "cumulus": ("absent", None),
        }  # fmt: skip

    def test_what_nobody_looked_at_claims_nothing(self, telling: Telling, job: RestoreJob) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")
        operations.register_tenant(
            database_id=job.database_id, name="late", public_code="customer late", at=NOON
        )

        evidence = found(acme=COUNTED, borealis={"rows": {}, "uncounted": ["public.orders"]})
        self.ended(job, JobState.SUCCEEDED, evidence=evidence)

        assert told() == {
            "acme": ("verified", None), "borealis": ("restored", None),
            "cumulus": ("waiting", None), "late": ("waiting", None),
        }  # fmt: skip

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
    def test_what_stopped_claims_nothing(
        self, state: JobState, telling: Telling, job: RestoreJob
    ) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")
        telling.step(Step(done=2, total=3))

        self.ended(job, state, failure_code="disk-full")

        assert set(told().values()) == {("waiting", None)}
        assert set(TenantProgress.objects.values_list("data_until_at", "eta_high_at")) == {
            (None, None)
        }


class TestLostWorker:
    def test_nothing_is_claimed_until_the_next_attempt(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        telling.begin(RestorePhase.VERIFY, unit="items")
        telling.step(Step(done=2, total=3))
        RestoreJob.objects.filter(pk=job.pk).update(leased_until=NOON)

        runner.waiting_restores(at=NOON + MINUTE)

        assert told() == {
            "cumulus": ("waiting", 1), "borealis": ("waiting", 2), "acme": ("waiting", 3),
        }  # fmt: skip


class TestCodes:
    def test_registering_gives_each_a_code_and_the_name_that_it_sees(
        self, database: Database
    ) -> None:
        names = set(Known.objects.values_list("name", flat=True))

        assert names == {f"customer {name}" for name in NAMES}

    def test_the_command_lists_them_and_gives_the_missing_ones(self, database: Database) -> None:
        Known.objects.filter(name="customer acme").delete()
        out = StringIO()

        call_command("tenant_codes", database.name, "--format", "json", stdout=out)

        rows = json.loads(out.getvalue())
        codes = {known.name: known.lookup_code for known in Known.objects.all()}
        assert {row["customers_see"]: row["address"] for row in rows} == {
            name: f"/my/{code}" for name, code in codes.items()
        }
        assert len(codes) == 3

    def test_the_command_writes_csv_and_a_table(self, database: Database) -> None:
        codes = {known.spoken_code for known in Known.objects.all()}
        for form in ("csv", "table"):
            out = StringIO()
            call_command("tenant_codes", database.name, "--format", form, stdout=out)
            assert all(code in out.getvalue() for code in codes)

    def test_the_command_ends_quietly_when_nobody_reads_on(self, database: Database) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            call_command("tenant_codes", database.name, stdout=pipe)

    def test_the_command_knows_which_databases_there_are(self) -> None:
        with pytest.raises(CommandError, match="There is no database"):
            call_command("tenant_codes", "nowhere")


class TestDesk:
    @pytest.fixture
    def desk(self, client: Client) -> Client:
        client.force_login(ResponderFactory.create())
        return client

    def test_shows_each_tenants_private_link(self, desk: Client, database: Database) -> None:
        known = Known.objects.get(name="customer acme")
        for name in ("database-detail", "tenant-list"):
            page = desk.get(reverse(f"backups:{name}", args=[database.pk])).content.decode()
            assert known.spoken_code in page
            assert f'href="/my/{known.lookup_code}"' in page

    def test_finds_a_tenant(self, desk: Client, database: Database) -> None:
        address = reverse("backups:tenant-list", args=[database.pk])

        page = desk.get(address, {"q": "BOREAL"}).content.decode()

        assert "customer borealis" in page
        assert "customer acme" not in page
        assert "No tenant has" in desk.get(address, {"q": "\0x"}).content.decode()

    def test_gives_a_new_code_once_confirmed(self, desk: Client, database: Database) -> None:
        tenant = database.tenants.get(name="acme")
        old = Known.objects.get(key=tenant.key).lookup_code
        address = reverse("backups:tenant-code", args=[tenant.pk])

        desk.get(address)
        assert Known.objects.get(key=tenant.key).lookup_code == old

        desk.post(address)
        assert Known.objects.get(key=tenant.key).lookup_code != old

    def test_removes_one_once_confirmed(self, desk: Client, database: Database) -> None:
        tenant = database.tenants.get(name="acme")
        address = reverse("backups:tenant-remove", args=[tenant.pk])

        assert "customer acme" in desk.get(address).content.decode()
        assert database.tenants.count() == 3

        desk.post(address)
        assert set(database.tenants.values_list("name", flat=True)) == {"borealis", "cumulus"}
        assert not Known.objects.filter(name="customer acme").exists()
        assert desk.get(address).status_code == 404

    def test_one_that_is_removed_meanwhile_does_not_stop_the_telling(
        self, telling: Telling, job: RestoreJob
    ) -> None:
        telling.begin(RestorePhase.FETCH)
        gone = job.database.tenants.get(name="acme")
        operations.unregister_tenant(tenant_id=gone.pk)

        telling.begin(RestorePhase.VERIFY, unit="items")

        assert told() == {"cumulus": ("restored", 1), "borealis": ("restored", 2)}

    def test_is_for_staff(self, client: Client, database: Database) -> None:
        tenant = database.tenants.get(name="acme")
        for address in (
            reverse("backups:tenant-list", args=[database.pk]),
            reverse("backups:tenant-code", args=[tenant.pk]),
            reverse("backups:tenant-remove", args=[tenant.pk]),
        ):
            assert "login" in client.get(address)["Location"]

    def test_asks_as_often_for_three_as_for_thirty(self, desk: Client, database: Database) -> None:
        address = reverse("backups:tenant-list", args=[database.pk])
        counts = []
        for more in ((), range(27)):
            names = [(f"db{number}", f"customer {number}") for number in more]
            operations.register_tenants(database_id=database.pk, tenants=names, at=NOON)
            with CaptureQueriesContext(connection) as asked:
                desk.get(address)
            counts.append(len(asked))

        assert counts[0] == counts[1]
