"""The course of a restore is changed: paused, planned to pause, given another plan."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups import operations, runner
from backups.models import Backup, JobState, RestoreJob, RestorePhase, RestorePoint, RestoreStrategy
from backups.operations import Course
from backups.queries import NotRegistered
from incidents.models import Incident, ProgressReport, StatusUpdate, TimelineEntry
from incidents.operations import declare_incident, post_status_update
from incidents.values import Phase, ProgressState, Severity
from tests.backups.factories import RecoveryTargetFactory, RestoreJobFactory
from tests.factories import NOON, ResponderFactory

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def incident() -> Incident:
    return declare_incident(title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None)


def running(job: RestoreJob) -> RestoreJob:
    until = NOON + timedelta(seconds=20)
    assert RestoreJob.objects.all().claim(job.pk, worker="one:1:a", until=until, at=NOON)
    job.refresh_from_db()
    return job


class TestPausing:
    def test_one_that_waits_rests_at_once_and_is_told(self, incident: Incident) -> None:
        job = RestoreJobFactory.create(incident=incident)

        operations.pause_restore(restore_id=job.pk, at=NOON, reasons="The disk is needed.")

        job.refresh_from_db()
        assert job.state == JobState.PAUSED
        assert ProgressReport.objects.get(key=job.key).state == ProgressState.PAUSED
        texts = list(TimelineEntry.objects.values_list("text", flat=True))
        assert any("is paused in" in text for text in texts)
        assert any("The disk is needed." in text for text in texts)
        # Customers had not been told of it yet.
        assert not StatusUpdate.objects.filter(body__contains="paused").exists()

    def test_one_that_runs_loses_its_lease_when_the_pause_is_due(self) -> None:
        job = running(RestoreJobFactory.create())

        operations.pause_restore(restore_id=job.pk, at=NOON, begins_at=LATER)

        jobs = RestoreJob.objects.all()
        at = NOON + timedelta(seconds=5)
        assert jobs.renew(job.pk, worker="one:1:a", until=LATER, at=at)
        assert not jobs.renew(job.pk, worker="one:1:a", until=LATER, at=LATER)

    def test_ends_by_itself_at_its_time_and_not_before(self) -> None:
        job = RestoreJobFactory.create()
        operations.pause_restore(restore_id=job.pk, at=NOON, ends_at=LATER)

        assert runner.waiting_restores(at=LATER - timedelta(seconds=1)) == []
        assert runner.waiting_restores(at=LATER) == [(job.pk, "restores")]

        job.refresh_from_db()
        assert (job.pause_at, job.resume_at) == (None, None)

    def test_without_an_end_lasts_until_somebody_resumes(self) -> None:
        job = RestoreJobFactory.create()
        operations.pause_restore(restore_id=job.pk, at=NOON)
        assert runner.waiting_restores(at=NOON + timedelta(days=9)) == []

        operations.resume_restore(restore_id=job.pk, at=LATER, by_worker=False)

        job.refresh_from_db()
        assert (job.state, job.pause_at) == (JobState.QUEUED, None)

    @pytest.mark.parametrize(
        ("ends_after", "words"),
        [
            (None, "We will say here when it does."),
            (timedelta(days=1), "It is planned to go on at 13 January 12:00 UTC."),
        ],
    )
    def test_keeps_the_promise_of_a_next_update_and_names_its_end(
        self, incident: Incident, ends_after: timedelta | None, words: str
    ) -> None:
        post_status_update(
            incident_id=incident.pk, body="On it.", phase=Phase.IDENTIFIED, at=NOON, author=None
        )
        job = RestoreJobFactory.create(incident=incident, heartbeat_at=NOON)
        ends_at = NOON + ends_after if ends_after else None
        operations.pause_restore(restore_id=job.pk, at=NOON, ends_at=ends_at)
        promise = incident.promises.get()
        assert promise.due_at is not None

        runner.waiting_restores(at=promise.due_at)

        (update,) = StatusUpdate.objects.filter(incident=incident, author_label="Database restore")
        assert "is paused for now" in update.body
        assert update.body.endswith(words)

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.SUCCEEDED, JobState.PAUSED])
    def test_is_for_work_that_goes_on(self, state: JobState) -> None:
        job = RestoreJobFactory.create(state=state, failure_code="disk-too-small")

        with pytest.raises(operations.NotPausable):
            operations.pause_restore(restore_id=job.pk, at=NOON)

    def test_that_lies_ahead_is_withdrawn(self, incident: Incident) -> None:
        job = running(RestoreJobFactory.create(incident=incident))
        operations.pause_restore(restore_id=job.pk, at=NOON, begins_at=LATER)

        operations.resume_restore(restore_id=job.pk, at=NOON)

        job.refresh_from_db()
        assert (job.state, job.pause_at, job.resume_at) == (JobState.RUNNING, None, None)
        assert TimelineEntry.objects.filter(text__contains="planned is withdrawn").exists()
        at = LATER + timedelta(seconds=1)
        assert RestoreJob.objects.all().renew(job.pk, worker="one:1:a", until=at, at=at)

    def test_that_has_begun_is_not_withdrawn_while_the_worker_stops(self) -> None:
        job = running(RestoreJobFactory.create())
        operations.pause_restore(restore_id=job.pk, at=NOON)

        with pytest.raises(operations.NotResumable):
            operations.resume_restore(restore_id=job.pk, at=LATER)

    def test_does_not_end_before_it_begins(self) -> None:
        job = RestoreJobFactory.create()

        with pytest.raises(operations.PauseBackwards):
            operations.pause_restore(restore_id=job.pk, at=LATER, ends_at=NOON)

    def test_of_a_restore_that_is_not_there_says_so(self) -> None:
        with pytest.raises(NotRegistered, match="no restore number 99"):
            operations.pause_restore(restore_id=99, at=NOON)
        with pytest.raises(CommandError, match="no restore number 99"):
            call_command("pause_restore", "99")

    def test_is_withdrawn_by_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        job = RestoreJobFactory.create()
        now = timezone.now()
        operations.pause_restore(restore_id=job.pk, at=now, begins_at=now + timedelta(hours=1))

        call_command("resume_restore", str(job.pk))

        assert "planned is withdrawn" in capsys.readouterr().out
        job.refresh_from_db()
        assert (job.state, job.pause_at) == (JobState.QUEUED, None)

    def test_by_command(self) -> None:
        job = RestoreJobFactory.create()

        call_command("pause_restore", str(job.pk), "--minutes", "30")

        job.refresh_from_db()
        assert job.pause_at is not None
        assert job.resume_at is not None
        assert job.resume_at - job.pause_at == timedelta(minutes=30)


class TestANewPlan:
    def test_stops_the_worker_and_queues_the_job_again(self) -> None:
        job = running(RestoreJobFactory.create())
        course = replace(Course.of(job), strategy=RestoreStrategy.STREAM)

        operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)

        at = LATER + timedelta(seconds=1)
        assert not RestoreJob.objects.all().renew(job.pk, worker="one:1:a", until=at, at=at)
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.PAUSED, leased_by="", leased_until=None
        )
        assert runner.waiting_restores(at=at) == [(job.pk, "restores")]
        job.refresh_from_db()
        assert job.strategy == RestoreStrategy.STREAM

    def test_of_one_that_has_stopped_lets_it_go_on(self, incident: Incident) -> None:
        job = RestoreJobFactory.create(
            state=JobState.FAILED, failure_code="storage-unavailable", incident=incident
        )
        Backup.objects.create(
            database=job.database, engine_id="b1", label="nightly", is_finished=True, timeline=1,
            began_at=NOON - timedelta(hours=9), ended_at=NOON - timedelta(hours=8),
            server_version=170010, cluster_bytes=1, reaches_until_at=NOON,
        )  # fmt: skip
        course = replace(
            Course.of(job), point=RestorePoint.MOMENT, target_at=NOON - timedelta(hours=2)
        )

        operations.pivot_restore(
            restore_id=job.pk,
            course=course,
            at=LATER,
            by=ResponderFactory.create(),
            reasons="Faster.",
        )

        job.refresh_from_db()
        assert (job.state, job.failure_code) == (JobState.QUEUED, "")
        assert job.target_at == NOON - timedelta(hours=2)
        assert TimelineEntry.objects.filter(text__startswith="Change of plan").exists()
        assert TimelineEntry.objects.filter(text__endswith="Faster.").exists()

    def test_to_what_cannot_be_reached_is_refused(self) -> None:
        job = RestoreJobFactory.create()
        course = replace(Course.of(job), point=RestorePoint.MOMENT, target_at=NOON)

        with pytest.raises(operations.NoBackup):
            operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)

    def test_by_a_strategy_that_the_engine_lacks_is_refused(self) -> None:
        job = RestoreJobFactory.create(database__engine="PG_DUMP")
        course = replace(Course.of(job), strategy=RestoreStrategy.RELAY)

        with pytest.raises(operations.StrategyNotKnown):
            operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)

    def test_to_another_place_remembers_where_it_was(self) -> None:
        job = RestoreJobFactory.create()
        former, other = job.target, RecoveryTargetFactory.create(queue="other")

        course = replace(Course.of(job), recovery_target_id=other.pk)
        operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)

        job.refresh_from_db()
        assert (job.target, job.moved_from) == (other, former)

    def test_to_a_place_that_is_taken_is_refused(self) -> None:
        job, other = RestoreJobFactory.create(), RestoreJobFactory.create()

        course = replace(Course.of(job), recovery_target_id=other.target_id)
        with pytest.raises(operations.TargetBusy):
            operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)

        job.refresh_from_db()
        assert job.moved_from is None

    def test_that_is_the_old_one_is_refused(self) -> None:
        job = RestoreJobFactory.create()

        with pytest.raises(operations.NothingChanged):
            operations.pivot_restore(restore_id=job.pk, course=Course.of(job), at=LATER)

    def test_comes_too_late_for_what_is_opened(self) -> None:
        job = RestoreJobFactory.create(phase=RestorePhase.READY)
        course = replace(Course.of(job), strategy=RestoreStrategy.STREAM)

        with pytest.raises(operations.NotPivotable):
            operations.pivot_restore(restore_id=job.pk, course=course, at=LATER)


class TestAtTheDesk:
    def test_a_pause_is_withdrawn(self, admin_client: Client) -> None:
        job = running(RestoreJobFactory.create())
        now = timezone.now()
        operations.pause_restore(restore_id=job.pk, at=now, begins_at=now + timedelta(hours=8))
        page = admin_client.get(reverse("backups:restore-detail", args=[job.pk])).content.decode()
        assert "Withdraw the pause" in page
        address = reverse("backups:restore-resume", args=[job.pk])
        assert "Withdraw the pause of restore" in admin_client.get(address).content.decode()

        admin_client.post(address)

        job.refresh_from_db()
        assert (job.state, job.pause_at) == (JobState.RUNNING, None)

    def test_a_pause_is_planned(self, admin_client: Client) -> None:
        job = running(RestoreJobFactory.create())
        address = f"/desk/restores/{job.pk}/pause/"
        assert "Until, in UTC" in admin_client.get(address).content.decode()

        admin_client.post(address, {"begins_at": "2099-01-01T00:00", "ends_at": "2099-01-01T08:00"})

        page = admin_client.get(f"/desk/restores/{job.pk}/").content.decode()
        assert "A pause is planned from" in page

    def test_a_change_of_plan_is_no_pause_that_is_planned(self, admin_client: Client) -> None:
        job = running(RestoreJobFactory.create())
        course = replace(Course.of(job), strategy=RestoreStrategy.STREAM)
        address = reverse("backups:restore-detail", args=[job.pk])

        operations.pivot_restore(restore_id=job.pk, course=course, at=timezone.now())
        page = admin_client.get(address).content.decode()
        assert "A pause is planned" not in page
        assert "by the new plan it goes on within seconds" in page

        RestoreJob.objects.all().release(
            job.pk, worker="one:1:a", state=JobState.PAUSED, at=timezone.now()
        )
        page = admin_client.get(address).content.decode()
        assert "goes on by itself at" not in page
        assert "Its rest is over" in page

    def test_a_pause_that_is_due_is_not_planned_any_more(self, admin_client: Client) -> None:
        job = running(RestoreJobFactory.create())

        operations.pause_restore(restore_id=job.pk, at=timezone.now())

        page = admin_client.get(reverse("backups:restore-detail", args=[job.pk])).content.decode()
        assert "A pause is planned" not in page
        assert "about to stop where it is" in page

    def test_one_that_runs_backwards_is_explained(self, admin_client: Client) -> None:
        job = RestoreJobFactory.create()

        answer = admin_client.post(
            f"/desk/restores/{job.pk}/pause/",
            {"begins_at": "2099-01-01T08:00", "ends_at": "2099-01-01T00:00"},
        )

        assert answer.status_code == 422
        assert "Give a later end" in answer.content.decode()

    def test_the_plan_is_changed(self, admin_client: Client) -> None:
        job = RestoreJobFactory.create()
        address = f"/desk/restores/{job.pk}/plan/"
        assert "Change the plan of restore" in admin_client.get(address).content.decode()
        said = {"point": "LATEST", "strategy": "STREAM", "target": job.target_id}

        assert admin_client.post(address, said).status_code == 302

        job.refresh_from_db()
        assert job.strategy == RestoreStrategy.STREAM

    def test_a_moment_that_was_left_alone_stays_exact(self, admin_client: Client) -> None:
        moment = NOON - timedelta(microseconds=1)
        job = RestoreJobFactory.create(point=RestorePoint.MOMENT, target_at=moment)
        said = {
            "point": "MOMENT", "target_at": f"{moment:%Y-%m-%dT%H:%M:%S}", "strategy": "STAGE",
            "target": job.target_id,
        }  # fmt: skip

        answer = admin_client.post(f"/desk/restores/{job.pk}/plan/", said)

        assert "follows already" in answer.content.decode()

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"point": "MOMENT"}, "Say up to which moment"),
            ({"point": "MOMENT", "target_at": "2099-01-01T00:00"}, "still to come"),
            ({"point": "BACKUP"}, "Choose the backup"),
        ],
    )
    def test_a_plan_that_lacks_something_is_not_taken(
        self, admin_client: Client, said: dict[str, str], words: str
    ) -> None:
        job = RestoreJobFactory.create()

        answer = admin_client.post(
            f"/desk/restores/{job.pk}/plan/", said | {"strategy": "STAGE", "target": job.target_id}
        )

        assert answer.status_code == 422
        assert words in answer.content.decode()
