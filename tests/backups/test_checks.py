"""Checks that staff write: kept, tried where the database runs, shown; and findings accepted."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from backups import operations
from backups.models import (
    Backup,
    CheckDepth,
    CheckName,
    Database,
    FindingState,
    JobState,
    RestoreFinding,
    RestoreJob,
    Tenant,
    VerificationCheck,
)
from backups.runner.verification import looked_at
from incidents.models import Incident
from incidents.values import Looked
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, RestoreJobFactory
from tests.factories import NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
NOTES = "select count(*) >= 0 from django_migrations"


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Register the database that the tests themselves use, with one tenant: it runs."""
    ours = connection.settings_dict
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"password": ours["PASSWORD"]}))
    found = DatabaseFactory.create(
        name="tours",
        host=ours["HOST"] or "127.0.0.1",
        port=ours["PORT"],
        superuser=ours["USER"],
        password_reference=f"file:{keys}",
    )
    Tenant.objects.create(
        database=found, name=ours["NAME"], public_code="customer-acme", registered_at=NOON
    )
    return found


def check_of(database: Database, **values: Any) -> VerificationCheck:
    said = {"name": "has notes", "sql": NOTES} | values
    return operations.add_check(database_id=database.pk, at=NOON, **said)


def stopped(database: Database, **values: Any) -> RestoreJob:
    """Give a restore that has stopped because a check failed."""
    job = RestoreJobFactory.create(
        database=database,
        state=JobState.FAILED,
        failure_code="verification-failed",
        failure_advice="Not everything passed.",
        **values,
    )
    found(job, CheckName.TARGET, FindingState.OK, figures={"replayed_to": "0/5000060"})
    found(job, CheckName.OWN, FindingState.FAILED, words="The answer is false.", title="has notes")
    return job


def found(job: RestoreJob, name: CheckName, state: FindingState, **values: Any) -> RestoreFinding:
    return RestoreFinding.objects.create(
        job=job, check_name=name, state=state, found_at=NOON, **values
    )


class TestAddCheck:
    def test_is_kept_once_by_name(self, database: Database) -> None:
        check_of(database)

        with pytest.raises(operations.CheckNotKept, match="name"):
            check_of(database, sql="select 1")

        assert database.checks.count() == 1

    @pytest.mark.parametrize("missing", ["name", "sql"])
    def test_asks_something(self, database: Database, missing: str) -> None:
        with pytest.raises(operations.CheckNotKept):
            check_of(database, **{missing: "  "})

    def test_asks_nobody_elses_tenant(self, database: Database) -> None:
        other = Tenant.objects.create(
            database=DatabaseFactory.create(), name="x", public_code="x", registered_at=NOON
        )

        with pytest.raises(operations.CheckNotKept, match="another database"):
            check_of(database, tenant_id=other.pk)


class TestTryCheck:
    def test_asks_where_it_runs(self, database: Database) -> None:
        ((tenant, answer),) = operations.try_check(
            database_id=database.pk, sql="select current_setting('transaction_read_only')"
        )

        assert tenant.public_code == "customer-acme"
        assert (answer.outcome, answer.value) == ("OK", "on")

    def test_changes_nothing(self, database: Database) -> None:
        ((_tenant, answer),) = operations.try_check(
            database_id=database.pk, sql="select lo_create(0) > 0"
        )

        assert answer.outcome == "FAILED"
        assert "read-only" in answer.words

    def test_is_refused_where_nobody_answers(self, database: Database) -> None:
        Database.objects.filter(pk=database.pk).update(port=9)

        with pytest.raises(operations.NotReachable, match="can be kept all the same"):
            operations.try_check(database_id=database.pk, sql="select true")

    def test_is_refused_without_a_tenant(self, database: Database) -> None:
        database.tenants.all().delete()

        with pytest.raises(operations.NothingToAsk):
            operations.try_check(database_id=database.pk, sql="select true")


class TestLookedAt:
    def test_claims_only_what_was_looked_at_in_full(self, database: Database) -> None:
        job = RestoreJobFactory.create(
            database=database, evidence={"customer-acme": {"rows": {"notes": 3}, "uncounted": []}}
        )
        found(job, CheckName.STRUCTURE, FindingState.OK, figures={"left_out": 2})
        found(job, CheckName.PAGES, FindingState.NOT_POSSIBLE, words="No checksums.")
        found(job, CheckName.OWN, FindingState.OK)
        found(job, CheckName.OWN, FindingState.NOT_POSSIBLE, words="No database.")

        assert looked_at(job) == Looked(tables=True, own=1, own_of=2)

    def test_claims_nothing_of_a_database_that_is_unsound(self, database: Database) -> None:
        job = RestoreJobFactory.create(database=database, evidence={})
        found(job, CheckName.STRUCTURE, FindingState.OK)
        found(job, CheckName.STRUCTURE, FindingState.FAILED, words="corrupt", subject="acme")
        found(job, CheckName.PAGES, FindingState.OK)

        assert looked_at(job) == Looked(pages=True)


class TestAcceptFindings:
    def test_goes_on_with_the_reason_on_the_timeline(self, database: Database) -> None:
        incident = IncidentFactory.create()
        job = stopped(database, incident=incident)
        responder = ResponderFactory.create()

        operations.accept_findings(
            restore_id=job.pk, because="They can live with it.", by=responder, at=NOON
        )

        job.refresh_from_db()
        assert (job.state, job.accepted_at) == (JobState.QUEUED, NOON)
        entry = Incident.objects.get(pk=incident.pk).entries.get(text__contains="live with it")
        assert "has notes" in entry.text
        assert (entry.created_by, entry.is_public) == (responder, False)

    def test_needs_a_reason(self, database: Database) -> None:
        job = stopped(database)

        with pytest.raises(operations.ReasonMissing):
            operations.accept_findings(restore_id=job.pk, because=" ", at=NOON)

        job.refresh_from_db()
        assert job.state == JobState.FAILED

    @pytest.mark.parametrize(
        "other", [{"failure_code": "disk-too-small"}, {"state": JobState.CANCELLED}]
    )
    def test_is_refused_where_it_stopped_for_another_reason(
        self, database: Database, other: dict[str, Any]
    ) -> None:
        job = stopped(database)
        RestoreJob.objects.filter(pk=job.pk).update(**other)

        with pytest.raises(operations.NotAcceptable):
            operations.accept_findings(restore_id=job.pk, because="Now.", at=NOON)

    def test_is_refused_where_the_target_was_not_reached(self, database: Database) -> None:
        job = stopped(database)
        job.findings.filter(check_name=CheckName.TARGET).delete()

        with pytest.raises(operations.TargetNotReached):
            operations.accept_findings(restore_id=job.pk, because="Now.", at=NOON)


class TestPages:
    def _url(self, name: str, pk: int) -> str:
        return reverse(f"backups:{name}", args=[pk])

    def test_a_check_is_added_changed_and_removed(self, desk: Client, database: Database) -> None:
        url = self._url("check-list", database.pk)
        assert "None yet" in desk.get(url).content.decode()

        desk.post(url, {"name": "has notes", "sql": NOTES, "tenant": ""})
        check = database.checks.get()
        assert "has notes" in desk.get(url).content.decode()

        tenant = database.tenants.get()
        desk.post(
            self._url("check-edit", check.pk),
            {"name": "has rows", "sql": "select 1", "tenant": tenant.pk},
        )
        check.refresh_from_db()
        assert (check.name, check.sql, check.tenant) == ("has rows", "select 1", tenant)
        assert "select 1" in desk.get(self._url("check-edit", check.pk)).content.decode()

        desk.post(self._url("check-remove", check.pk))
        assert not database.checks.exists()

    def test_trying_keeps_nothing(self, desk: Client, database: Database) -> None:
        answer = desk.post(
            self._url("check-list", database.pk),
            {"name": "freshest", "sql": "select 41 + 1", "try": "1"},
        )

        page = answer.content.decode()
        assert "Asked of the running database just now" in page
        assert "<strong>42</strong>" in page
        assert not database.checks.exists()

    def test_trying_a_kept_one_changes_nothing(self, desk: Client, database: Database) -> None:
        check = check_of(database)

        answer = desk.post(
            self._url("check-edit", check.pk), {"name": "x", "sql": "select false", "try": "1"}
        )

        assert "Fails" in answer.content.decode()
        check.refresh_from_db()
        assert check.sql == NOTES

    def test_says_why_it_could_not_be_tried(self, desk: Client, database: Database) -> None:
        Database.objects.filter(pk=database.pk).update(port=9)

        answer = desk.post(
            self._url("check-list", database.pk), {"name": "x", "sql": "select 1", "try": "1"}
        )

        assert answer.status_code == INVALID
        assert "can be kept all the same" in answer.content.decode()

    def test_a_name_that_is_taken_is_refused(self, desk: Client, database: Database) -> None:
        check_of(database)

        answer = desk.post(
            self._url("check-list", database.pk), {"name": "has notes", "sql": "select 1"}
        )

        assert answer.status_code == INVALID
        assert database.checks.count() == 1

    def test_how_much_is_read_is_set(self, desk: Client, database: Database) -> None:
        url = self._url("check-depth", database.pk)

        assert desk.post(url, {"depth": "NONE"}).status_code == INVALID
        desk.post(url, {"depth": "QUICK"})

        database.refresh_from_db()
        assert database.check_depth == CheckDepth.QUICK

    def test_what_was_found_stands_on_the_page_of_the_restore(
        self, desk: Client, database: Database
    ) -> None:
        job = stopped(database)
        found(job, CheckName.PAGES, FindingState.NOT_POSSIBLE, words="It keeps no checksums.")

        page = desk.get(self._url("restore-detail", job.pk)).content.decode()

        # The worst first.
        assert page.index("The answer is false.") < page.index("It keeps no checksums.")
        assert "0/5000060" in page
        assert self._url("restore-accept", job.pk) in page

    def test_a_page_of_many_findings_asks_no_more(
        self,
        desk: Client,
        database: Database,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        job = stopped(database)
        for number in range(120):
            found(job, CheckName.OWN, FindingState.OK, title=f"check {number}", value="7")

        with django_assert_max_num_queries(25):
            page = desk.get(self._url("restore-detail", job.pk)).content.decode()

        assert "has notes" in page
        assert "And 72 more" in page

    def test_a_directory_is_moved_aside_only_by_its_own_name(
        self, desk: Client, database: Database
    ) -> None:
        Backup.objects.create(
            database=database, engine_id="b1", label="nightly", is_finished=True, began_at=NOON,
            ended_at=NOON, timeline=1, server_version=170010, cluster_bytes=1,
            reaches_until_at=NOON,
        )  # fmt: skip
        target = RecoveryTargetFactory.create(
            data_dir="/nowhere/data", probed_at=timezone.now(), occupied_by="running"
        )
        wish = {"database": database.pk, "target": target.pk, "until": "latest"}

        unnamed = desk.post(reverse("backups:restore-request"), wish)
        misnamed = desk.post(
            reverse("backups:restore-request"), wish | {"replaces": "/nowhere/date"}
        )
        assert "holds a running cluster" in unnamed.content.decode()
        assert "Type it exactly" in misnamed.content.decode()
        assert not RestoreJob.objects.exists()

        desk.post(reverse("backups:restore-request"), wish | {"replaces": "/nowhere/data"})
        assert RestoreJob.objects.get().replaces == "/nowhere/data"

    def test_findings_are_accepted_with_a_reason(self, desk: Client, database: Database) -> None:
        job = stopped(database)
        url = self._url("restore-accept", job.pk)
        assert "cannot be undone" in desk.get(url).content.decode()

        assert desk.post(url, {"because": ""}).status_code == INVALID
        desk.post(url, {"because": "An old rule."})

        job.refresh_from_db()
        assert (job.state, job.accepted_because) == (JobState.QUEUED, "An old rule.")
        page = desk.get(self._url("restore-detail", job.pk)).content.decode()
        assert "Opened all the same" in page


class TestCommands:
    def test_a_check_is_added_tried_and_removed(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("add_check", "tours", "sum", "select 41 + 1", tenant="customer-acme")
        call_command("try_checks", "tours")

        assert "OK     sum, customer-acme: 42" in capsys.readouterr().out
        call_command("remove_check", "tours", "sum")
        assert not database.checks.exists()

    @pytest.mark.parametrize("sql", ["selec 1", "drop table orders", "select 1 +", "select 1, 2"])
    def test_what_is_no_question_is_not_added(self, database: Database, sql: str) -> None:
        with pytest.raises(CommandError, match="one SELECT or WITH"):
            call_command("add_check", "tours", "sum", sql)

        assert not database.checks.exists()

    def test_what_nobody_could_read_is_added_with_a_warning(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Database.objects.filter(pk=database.pk).update(port=9)

        call_command("add_check", "tours", "sum", "select 1")

        assert "It was not read" in capsys.readouterr().err
        assert database.checks.count() == 1

    def test_a_failure_is_no_success_and_who_is_asked_is_said(
        self,
        database: Database,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        check_of(database, sql="select false")
        monkeypatch.setattr(operations.checks, "TRIED", 1)
        Tenant.objects.create(
            database=database, name="later", public_code="z", priority=9999, registered_at=NOON
        )

        with pytest.raises(CommandError, match="1 failed"):
            call_command("try_checks", "tours")

        said = capsys.readouterr().out
        assert "has notes is asked of 1 of 2 tenants" in said
        assert "FAILED has notes, customer-acme" in said

    def test_names_what_it_does_not_know(self, database: Database) -> None:
        with pytest.raises(CommandError, match="no tenant named 'nobody'"):
            call_command("add_check", "tours", "sum", "select 1", tenant="nobody")
        with pytest.raises(CommandError, match="no check named 'sum'"):
            call_command("remove_check", "tours", "sum")

    def test_how_much_is_read_is_set(self, database: Database) -> None:
        call_command("set_check_depth", "tours", "quick")

        database.refresh_from_db()
        assert database.check_depth == CheckDepth.QUICK

    def test_findings_are_shown_and_accepted(
        self, database: Database, capsys: pytest.CaptureFixture[str]
    ) -> None:
        job = stopped(database)

        call_command("restore_status", str(job.pk))
        call_command("accept_findings", str(job.pk), because="An old rule.")

        assert "Failed: has notes: The answer is false." in capsys.readouterr().out
        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        with pytest.raises(CommandError, match="Only a restore that has stopped"):
            call_command("accept_findings", str(job.pk), because="Again.")
